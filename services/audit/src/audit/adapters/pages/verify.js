"use strict";
// Checks a file of evidence with WebCrypto alone, by the rules of audit/domain/log/evidence_checks.py.
// No text of a file ever becomes markup.

const FORMAT = "plumbline-evidence/v1";
const START = '<script type="application/json" id="evidence">';
const KINDS = { 1: "Ed25519", 4: "Ed25519", 6: "ML-DSA-44" };
const SIGNATURE_BYTES = { 1: 64, 4: 72, 6: 2428 };
const PUBLIC_BYTES = { 1: 32, 4: 32, 6: 1312 };
const NOT_A_NAME = /[+\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

class Refused extends Error {}

const utf8 = (text) => new TextEncoder().encode(text);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(parts)));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value) => typeof value === "string";
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function base64(text) {
  try {
    const binary = atob(text);
    if (btoa(binary) === text) return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {}
  throw new Refused("something is not base64");
}

// ---- signed notes, checkpoints, keys, policies (c2sp.org) ----

function parseNote(whole) {
  const at = whole.lastIndexOf("\n\n");
  if (/[\x00-\x09\x0b-\x1f]/.test(whole) || at < 1 || !whole.endsWith("\n") || at + 2 >= whole.length) {
    throw new Refused("the checkpoint is no signed note");
  }
  const lines = whole.slice(at + 2, -1).split("\n");
  if (lines.length > 64) throw new Refused("the checkpoint has more than 64 signatures");
  const signatures = lines.map((line) => {
    const [dash, name, encoded, ...more] = line.split(" ");
    const content = base64(encoded ?? "");
    if (dash !== "\u2014" || !name || more.length || NOT_A_NAME.test(name) || content.length < 5) {
      throw new Refused("a signature line cannot be read");
    }
    return { name, id: hex(content.slice(0, 4)), signature: content.slice(4) };
  });
  return { text: whole.slice(0, at + 1), signatures };
}

function readCheckpoint(text) {
  const lines = text.split("\n").slice(0, -1);
  const [origin, size, encoded] = lines;
  if (lines.length < 3 || lines.includes("") || !/^(0|[1-9]\d*)$/.test(size) || !isCount(Number(size))) {
    throw new Refused("the checkpoint is not origin, size and root");
  }
  const root = base64(encoded);
  if (root.length !== 32) throw new Refused("the root is not 32 bytes");
  return { origin, size: Number(size), root };
}

async function parseKey(text, types) {
  const [name, id] = text.split("+", 2);
  const content = base64(text.slice(name.length + (id ?? "").length + 2));
  const [type] = content;
  if (!name || NOT_A_NAME.test(name) || !types.includes(type) || content.length !== PUBLIC_BYTES[type] + 1) {
    throw new Refused("a key cannot be read");
  }
  const digest = hex(await sha256(utf8(name + "\n"), content));
  if (digest.slice(0, 8) !== id) throw new Refused(`the key of ${name} does not have the id ${id}`);
  return { text, name, id, type, bytes: content.slice(1), fingerprint: hex(await sha256(content)) };
}

async function parsePolicy(text) {
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: null };
  const known = (name) => policy.witnesses.has(name) || policy.groups.has(name);
  const used = new Set();
  for (const line of text.split("\n")) {
    const [kind, name, first, ...members] = line.split(/[ \t]+/).filter(Boolean);
    const isNew = first && name !== "none" && !known(name);
    if (!kind || kind.startsWith("#")) continue;
    if (kind === "log" && name) {
      policy.logs.push(await parseKey(name, [1, 6]));
    } else if (kind === "witness" && isNew) {
      policy.witnesses.set(name, await parseKey(first, [4, 6]));
    } else if (kind === "group" && isNew && members.every((member) => known(member) && !used.has(member) && used.add(member))) {
      const needed = first === "any" ? 1 : first === "all" ? members.length : /^[1-9]\d*$/.test(first) ? Number(first) : 0;
      if (!needed || needed > members.length) throw new Refused("a group of the policy cannot be read");
      policy.groups.set(name, { needed, members });
    } else if (kind === "quorum" && !first && policy.quorum === null && (name === "none" || known(name))) {
      policy.quorum = name;
    } else {
      throw new Refused("a line of the policy cannot be read");
    }
  }
  if (policy.quorum === null || !policy.logs.length) throw new Refused("the policy names no log or no quorum");
  return policy;
}

function reaches(policy, name, signed) {
  const group = policy.groups.get(name);
  if (!group) return signed.has(name);
  return group.members.filter((member) => reaches(policy, member, signed)).length >= group.needed;
}

const importKey = (bytes) => crypto.subtle.importKey("raw", bytes, "Ed25519", false, ["verify"]);

// "valid", "invalid", "absent", or "unchecked" where this browser cannot check such a signature.
async function stateOf(key, note) {
  let state = "absent";
  for (const { name, id, signature } of note.signatures) {
    if (name !== key.name || id !== key.id) continue;
    if (signature.length !== SIGNATURE_BYTES[key.type] || (key.type > 1 && signature[0] > 127)) return "invalid";
    if (key.type === 6) return "unchecked";
    const seconds = new DataView(signature.buffer).getBigUint64(0);
    if (key.type === 4 && !seconds) continue;
    const time = key.type === 4 ? `cosignature/v1\ntime ${seconds}\n` : "";
    try {
      const imported = await importKey(key.bytes);
      const isValid = await crypto.subtle.verify("Ed25519", imported, signature.slice(-64), utf8(time + note.text));
      if (!isValid) return "invalid";
    } catch (error) {
      return error.name === "NotSupportedError" ? "unchecked" : "invalid";
    }
    state = "valid";
  }
  return state;
}

// ---- Merkle tree (RFC 6962) ----

async function rootOf({ sealed, index, proof }, size) {
  const isRight = [];
  for (let start = 0, end = size; end - start > 1; ) {
    let left = 1;
    while (left * 2 < end - start) left *= 2;
    isRight.unshift(index >= start + left);
    if (isRight[0]) start += left;
    else end = start + left;
  }
  if (index >= size || proof.length !== isRight.length) throw new Refused("the proof has a wrong length");
  let root = await sha256([0], utf8(sealed));
  for (const [at, encoded] of proof.entries()) {
    const hash = base64(encoded);
    if (hash.length !== 32) throw new Refused("a hash is not 32 bytes");
    root = await (isRight[at] ? sha256([1], hash, root) : sha256([1], root, hash));
  }
  return hex(root);
}

// ---- a file of evidence ----

function readEvidence(text) {
  const at = text.indexOf(START);
  let file;
  try {
    file = JSON.parse(at < 0 ? text : text.slice(at + START.length, text.indexOf("</script", at)));
  } catch {
    throw new Refused("it holds no evidence, or was cut off");
  }
  const isEntry = (entry) =>
    isCount(entry?.index) && isText(entry.sealed) && Array.isArray(entry.proof) && entry.proof.every(isText) &&
    (entry.payload == null || entry.payload === "erased" || (isText(entry.payload.salt) && isText(entry.payload.body)));
  const isWaiting = (entry) => isCount(entry?.entry_id) && isText(entry.event_type) && isText(entry.recorded_at);
  if (
    file?.format !== FORMAT || ![file.booking_id, file.made_at, file.checkpoint, file.policy].every(isText) ||
    !Array.isArray(file.entries) || !file.entries.every(isEntry) ||
    !Array.isArray(file.waiting) || !file.waiting.every(isWaiting)
  ) {
    throw new Refused("it holds no evidence that this page can read");
  }
  return file;
}

const few = (list) => list.slice(0, 5).join(", ") + (list.length > 5 ? ` and ${list.length - 5} more` : "");
const entries = (number) => (number === 1 ? "1 entry" : `${number} entries`);

function numbered(numbers) {
  const there = new Set(numbers.filter((number) => isCount(number) && number > 0));
  const last = Math.max(0, ...there);
  const gaps = [];
  for (let number = 1; number < last && gaps.length < 100; number += 1) if (!there.has(number)) gaps.push(number);
  return { last, gaps };
}

// `trusted`: keys that the reader gave; null: those of the file count.
async function check(file, trusted = null) {
  const checks = [];
  const add = (id, result, title, text) => checks.push({ id, result, title, text });
  const facts = { file, checks, keys: [], entries: [], history: [], origin: "", size: 0, witnesses: 0, last: 0, here: 0 };
  try {
    const note = parseNote(file.checkpoint);
    const checkpoint = readCheckpoint(note.text);
    const policy = await parsePolicy(file.policy);
    add("file", "pass", "The file can be read", `Made ${time(file.made_at)}.`);
    Object.assign(facts, { origin: checkpoint.origin, size: checkpoint.size });
    await checkSignatures(facts, note, policy, trusted, add);
    await checkEntries(facts, checkpoint, add);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    add("file", "fail", "The file can be read", `It cannot: ${error.message}.`);
    return facts;
  }
  checkHistory(facts, add);
  await checkContents(facts, add);
  if (file.waiting.length) {
    add("waiting", "note", "Entries that are too new", `${entries(file.waiting.length)} had not been sealed: nothing is proved of them. Sealing takes seconds, so ask for the file again.`);
  }
  return facts;
}

async function checkSignatures(facts, note, policy, trusted, add) {
  // A reader who gives the log's key alone leaves the witnesses to the file.
  const isStrict = trusted && [...trusted].some((text) => policy.logs.every((key) => key.text !== text));
  const describe = async (key, kind) => {
    const isGiven = trusted?.has(key.text) ?? false;
    const counts = isGiven || !(kind === "log" ? trusted : isStrict);
    const known = { ...key, kind: `${kind}, ${KINDS[key.type]}`, isGiven, counts, state: await stateOf(key, note) };
    facts.keys.push(known);
    return known;
  };
  const logs = [];
  for (const key of policy.logs) logs.push(await describe(key, "log"));
  const own = logs.filter((key) => key.counts && key.name === facts.origin);
  const states = own.map((key) => key.state);
  const sign = (result, text) => add("signature", result, "The log signed this state of its list", text);
  if (states.includes("invalid")) sign("fail", "A signature is not by the log's key: the checkpoint or the key was changed.");
  else if (states.includes("valid")) {
    const other = states.includes("unchecked") ? " Its ML-DSA-44 signature is not checked here: browsers cannot." : "";
    sign("pass", `${facts.origin}, ${entries(facts.size)}. ${trusted ? "Signed by a key that you gave." : "Signed by the key in this file: compare it, below."}${other}`);
  } else if (own.some((key) => key.state === "unchecked" && key.type === 1)) {
    sign("note", "This browser cannot check Ed25519 signatures. Use Chrome or Edge 137, Firefox 129, Safari 17, or a newer one.");
  } else if (states.includes("unchecked")) sign("note", "It is signed with ML-DSA-44 only, which browsers cannot check.");
  else sign("fail", `It is not signed by any key ${trusted ? "that you gave" : "of this log"}.`);

  const signed = { valid: new Set(), unchecked: new Set() };
  let invalid = 0;
  for (const [name, key] of policy.witnesses) {
    const { state, counts } = await describe(key, "witness");
    if (state === "invalid") invalid += 1;
    else if (counts) signed[state]?.add(name);
  }
  // A witness with several keys has one name in all of them.
  const count = (names) => new Set([...names].map((name) => policy.witnesses.get(name).name)).size;
  facts.witnesses = count(signed.valid);
  const all = new Set([...signed.valid, ...signed.unchecked]);
  const of = `of ${count(policy.witnesses.keys())} witnesses signed it`;
  const witness = (result, text) => add("witnesses", result, "Witnesses saw the same list", text);
  if (invalid) witness("fail", "A witness's signature is not by its key.");
  else if (policy.quorum === "none") witness("note", "This file's policy asks for no witness.");
  else if (reaches(policy, policy.quorum, signed.valid)) witness("pass", `${facts.witnesses} ${of}, as the policy asks.`);
  else if (reaches(policy, policy.quorum, all)) witness("note", `${count(all)} ${of}, but not all in a way that browsers can check.`);
  else witness("note", `Only ${count(all)} ${of}, fewer than the policy asks for.`);
}

async function checkEntries(facts, checkpoint, add) {
  const bad = [];
  const strange = [];
  const root = hex(checkpoint.root);
  const seen = new Set();
  for (const entry of [...facts.file.entries].sort((a, b) => a.index - b.index)) {
    let isProved = false;
    let content = null;
    try {
      content = JSON.parse(entry.sealed);
      isProved = !seen.has(entry.index) && (await rootOf(entry, checkpoint.size)) === root;
    } catch (error) {
      if (!(error instanceof Refused || error instanceof SyntaxError)) throw error;
    }
    seen.add(entry.index);
    if (!isObject(content) || content.v !== 1) content = {};
    if (!isProved) bad.push(entry.index);
    if (content.booking_id !== facts.file.booking_id) strange.push(entry.index);
    facts.entries.push({ ...entry, isProved, content, metadata: isObject(content.metadata) ? content.metadata : {} });
  }
  const all = facts.entries.length;
  const title = "Every entry is in the list, unchanged";
  if (!all) return add("entries", "note", title, "No entry is sealed yet.");
  if (bad.length) add("entries", "fail", title, `${bad.length} of ${all} are not: number ${few(bad)}.`);
  else add("entries", "pass", title, `${entries(all)}, each with a proof that leads to the signed state.`);
  if (strange.length) add("booking", "fail", "Every entry is about this booking", `Not so: number ${few(strange)}.`);
  else add("booking", "pass", "Every entry is about this booking", facts.file.booking_id);
}

function checkHistory(facts, add) {
  const own = facts.entries.filter(({ content }) => content.source === "booking");
  const isChange = ({ content, metadata: { version } }) =>
    /^booking\.(created|status-changed)$/.test(content.event_type) && content.status === "success" && isCount(version) && version > 0;
  facts.history = own.filter(isChange).sort((a, b) => a.metadata.version - b.metadata.version);
  const { last, gaps } = numbered(facts.history.map((entry) => entry.metadata.version));
  const title = "No change of status was left out";
  facts.last = last;
  if (!last) add("history", "note", title, "There is no change of status to count.");
  else if (gaps.length) add("history", "fail", title, `The changes are numbered 1 to ${last}. Missing: ${few(gaps)}.`);
  else add("history", "pass", title, `The changes are numbered, and 1 to ${last} are here without a gap.`);

  const broken = [];
  let status = null;
  let before = 0;
  for (const { metadata } of facts.history) {
    const { version, from_status: from = null } = metadata;
    if (version === before || (version === before + 1 && from !== status)) broken.push(version);
    status = statusOf(metadata);
    before = version;
  }
  const steps = "Each change begins where the last one ended";
  if (broken.length) add("steps", "note", steps, `Not so: number ${few(broken)}. The log recorded changes that contradict each other.`);
  else if (last) add("steps", "pass", steps, facts.history.slice(-6).map(({ metadata }) => statusOf(metadata)).join(" → "));

  const messages = numbered(own.map((entry) => entry.metadata.sequence));
  const heard = "No message of the booking service was left out";
  if (messages.gaps.length) add("messages", "note", heard, `They are numbered 1 to ${messages.last}. Not here: ${few(messages.gaps)}.`);
  else if (messages.last) add("messages", "pass", heard, `Payments and other messages are numbered too, and 1 to ${messages.last} are here.`);
}

const statusOf = (metadata) => metadata.to_status ?? metadata.status ?? null;

async function checkContents(facts, add) {
  const bad = [];
  let erased = 0;
  for (const entry of facts.entries) {
    if (entry.payload === "erased") erased += 1;
    if (!isObject(entry.payload)) continue;
    facts.here += 1;
    try {
      entry.body = base64(entry.payload.body);
      entry.isWhole = hex(await sha256(base64(entry.payload.salt), entry.body)) === entry.content.payload_digest;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    if (!entry.isWhole) bad.push(entry.index);
  }
  const title = "Contents of the messages";
  const rest = `${facts.entries.length - facts.here - erased} not in this file, ${erased} erased or expired. Entries hold their digests.`;
  if (bad.length) add("contents", "fail", title, `Not those that were recorded: number ${few(bad)}.`);
  else if (facts.here) add("contents", "pass", title, `${facts.here} are here as they were recorded, ${rest}`);
  else if (facts.entries.length) add("contents", "note", title, rest);
}

// ---- the page ----

const MARKS = { pass: "✓", fail: "✗", note: "!" };
const SAID = { pass: "passed", fail: "failed", note: "please read" };
const STATES = { valid: "signed", invalid: "WRONG SIGNATURE", absent: "did not sign", unchecked: "signed, not checked here" };
// Characters that reorder or hide others are shown by number.
const HIDDEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g;
const plain = (text) => String(text ?? "–").replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const time = (text) => String(text).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)[.\d]*Z$/, "$1 $2 UTC");
const byId = (id) => document.getElementById(id);
let shown = null;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => (child instanceof Node ? child : plain(child))));
  return made;
}

const list = (id, lines) => byId(id).replaceChildren(...lines.map((line) => element("li", {}, line)));

function table(id, names, rows) {
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell, at) => element("td", { "data-name": names[at] }, cell))));
  byId(id).replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
  byId(id).hidden = !rows.length;
}

function verdict({ checks, file, keys, ...facts }) {
  const failed = checks.filter(({ result }) => result === "fail").length;
  if (failed) return ["fail", "Do not rely on this file", `${failed === 1 ? "A check" : `${failed} checks`} failed: something was changed, left out, or signed by somebody else.`];
  if (!checks.some(({ id, result }) => id === "signature" && result === "pass")) return ["note", "Not checked", "The signature cannot be checked here."];
  if (!facts.entries.length) return ["note", "Nothing to prove yet", "No entry of this booking is sealed."];
  const isGiven = keys.some((key) => key.isGiven && key.state === "valid");
  return ["pass", "The evidence holds", `${entries(facts.entries.length)} about booking ${file.booking_id}.${isGiven ? "" : " One step is yours: compare the key below."}`];
}

function statements({ checks, origin, size, last, witnesses, here, ...facts }) {
  const passed = (id) => checks.some((check) => check.id === id && check.result === "pass");
  const all = facts.entries.length;
  const proved = [
    `Present: ${entries(all)} of this booking in the list of ${origin}, which had ${entries(size)} when it was signed.`,
    "Unchanged: not one character of them was changed since. Nobody can do that and sign again without the log's key.",
    passed("history") && `Complete: changes of status 1 to ${last} are all here.`,
    passed("witnesses") && `The same for all: ${witnesses} witnesses signed the same list.`,
  ];
  const unproved = [
    "That what was recorded is true. The log proves what was written down, not that it was right.",
    `That nothing happened later. A change of status after number ${last}, or an entry after number ${size - 1} of the list, may exist.`,
    "That no other entries about this booking exist, apart from what is numbered. Nor anything about other bookings.",
    !passed("witnesses") && "That everybody sees the same list. Without witnesses the log could keep two lists and show you one.",
    "When something happened. Times are by the clocks of the company and its providers.",
    here < all && "What stood in messages that are not in this file or were erased.",
    "Whose key this is: compare it. Nor that this page is honest, as it came in the same file: open a copy that you trust and give it this file, or use the command “audit verify-evidence”.",
  ];
  return { proved: proved.filter(Boolean), unproved: unproved.filter(Boolean) };
}

function details(entry) {
  const made = element("details", {}, element("summary", {}, "show"));
  made.addEventListener("toggle", () => {
    if (made.childElementCount > 1) return;
    made.append(element("pre", {}, entry.sealed));
    if (entry.body) made.append(element("p", {}, entry.isWhole ? "Content:" : "Content, NOT as recorded:"), element("pre", {}, new TextDecoder().decode(entry.body)));
  });
  return made;
}

function keyItem(key) {
  const said = ` (${key.kind}): ${STATES[key.state]}${key.isGiven ? ", a key that you gave" : ""}`;
  const text = key.type === 6 ? [] : [element("p", {}, element("code", {}, key.text))];
  return element("li", {}, element("strong", {}, key.name), said, element("p", {}, "Fingerprint ", element("code", {}, key.fingerprint.match(/.{4}/g).join(" "))), ...text);
}

function checkItem({ id, result, title, text }) {
  const mark = element("span", { class: "mark", role: "img", "aria-label": SAID[result] }, MARKS[result]);
  return element("li", { class: result, "data-check": id }, mark, element("div", {}, element("strong", {}, title), element("p", {}, text)));
}

function say(result, title, text) {
  byId("verdict").className = result;
  byId("verdict").replaceChildren(element("h2", {}, title), element("p", {}, text));
}

function render(facts) {
  const [result, title, text] = verdict(facts);
  const { proved, unproved } = statements(facts);
  say(result, title, text);
  byId("booking").textContent = plain(facts.file.booking_id);
  byId("checks").replaceChildren(...facts.checks.map(checkItem));
  byId("keys").replaceChildren(...facts.keys.map(keyItem));
  list("proved", result === "pass" ? proved : [result === "fail" ? "Nothing: a check failed." : "Nothing yet."]);
  list("unproved", unproved);
  table("history", ["No.", "Change", "Recorded", "By"], facts.history.map(({ content, metadata }) =>
    [metadata.version, `${metadata.from_status ?? "new"} → ${statusOf(metadata)}`, time(content.recorded_at), content.actor]));
  table("entries", ["No.", "What", "Result", "Recorded", "Proof", "Text"], facts.entries.map((entry) =>
    [entry.index, entry.content.event_type, entry.content.error ?? entry.content.status, time(entry.content.recorded_at), entry.isProved ? "✓ holds" : "✗ FAILS", details(entry)]));
  table("waiting", ["Not sealed", "What", "Recorded"], facts.file.waiting.map((entry) => [entry.entry_id, entry.event_type, time(entry.recorded_at)]));
  byId("checkpoint").textContent = plain(facts.file.checkpoint);
  byId("result").hidden = false;
}

async function show(text) {
  byId("result").hidden = true;
  try {
    if (!globalThis.crypto?.subtle) throw new Refused("open it as a file or over https: here the browser gives it no cryptography");
    const given = byId("given").value.split(/[\s,]+/).filter((word) => word.split("+").length > 2);
    shown = text;
    render(await check(readEvidence(text), given.length ? new Set(given) : null));
  } catch (error) {
    say("fail", "This file cannot be checked", error instanceof Refused ? `${error.message}.` : `The page failed: ${error}`);
  }
}

const load = async ([file]) => file && show(await file.text());
byId("file").addEventListener("change", (event) => load(event.target.files));
byId("given").addEventListener("change", () => shown !== null && show(shown));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  load(event.dataTransfer.files);
});
if (byId("evidence").textContent.trim()) show(byId("evidence").textContent);
