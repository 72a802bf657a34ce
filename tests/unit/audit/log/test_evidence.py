"""A file of evidence, checked without a browser: intact, less, and with each part tampered."""

import json

import pytest

from audit.domain.log.checkpoints import verify_signatures
from audit.domain.log.evidence import EvidenceError, encode_evidence, read_evidence
from audit.domain.log.evidence_checks import check_evidence
from audit.domain.log.evidence_history import history_of
from audit.domain.log.evidence_policy import evidence_policy
from audit.domain.log.keys import SigningKey, VerifierKey
from audit.domain.log.policies import is_met, parse_policy
from harness.evidence_files import LOG_KEY, LOG_MLDSA_KEY, STRANGER, WITNESS_KEYS, policy
from harness.evidence_tampering import INTACT, LESS, LOG, TAMPERED, Change, changed


def results(evidence: str, keys: list[VerifierKey] | None = None) -> dict[str, str]:
    return {check.id: check.result for check in check_evidence(read_evidence(evidence.encode()), keys)}


def test_intact_file_passes_every_check() -> None:
    said = results(encode_evidence(INTACT))
    assert said.pop("waiting") == "note"
    assert set(said.values()) == {"pass"}
    assert len(said) == 9


@pytest.mark.parametrize(("change", "failed"), TAMPERED.values(), ids=TAMPERED)
def test_each_tampered_part_is_named(change: Change, failed: str) -> None:
    assert results(changed(change))[failed] == "fail"


@pytest.mark.parametrize("change", LESS.values(), ids=LESS)
def test_less_is_no_failure(change: Change) -> None:
    assert "fail" not in results(changed(change)).values()


@pytest.mark.parametrize("key", [LOG_KEY, LOG_MLDSA_KEY], ids=lambda key: key.type.name)
def test_signature_counts_by_the_given_key_alone(key: SigningKey) -> None:
    forged = encode_evidence(LOG.evidence(checkpoint=str(LOG.checkpoint([STRANGER]))))
    assert results(encode_evidence(INTACT), [key.verifier])["signature"] == "pass"
    assert results(encode_evidence(INTACT), [STRANGER.verifier])["signature"] == "fail"
    assert results(forged, [key.verifier])["signature"] == "fail"


def test_given_witnesses_replace_those_of_the_file() -> None:
    known = [LOG_KEY.verifier, WITNESS_KEYS[0].verifier]
    assert results(encode_evidence(INTACT), known[:1])["witnesses"] == "pass"
    assert results(encode_evidence(INTACT), known)["witnesses"] == "note"


def test_two_keys_of_a_witness_are_one_witness() -> None:
    evidence = LOG.evidence_of_one_witness_with_two_keys()
    texts = {check.id: (check.result, check.text) for check in check_evidence(evidence, None)}
    assert texts["witnesses"] == ("pass", "1 of 1 witnesses signed it, as the policy asks")


def test_no_text_ends_the_element_that_holds_the_file() -> None:
    encoded = encode_evidence(LOG.evidence(booking_id="</script><!--"))
    assert "<" not in encoded
    assert read_evidence(encoded.encode()).booking_id == "</script><!--"


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"\xff", b"[" * 100_000, b"<script"])
def test_noise_holds_no_evidence(content: bytes) -> None:
    with pytest.raises(EvidenceError, match="it holds no evidence"):
        read_evidence(content)


def test_missing_numbers_are_counted_to_a_hundred_whatever_the_last_is() -> None:
    (first,) = [json.loads(entry.sealed) for entry in INTACT.entries[:1]]
    history = history_of([{**first, "metadata": {"version": 2**52, "sequence": 3}}])
    assert list(history.missing) == list(range(1, 101))
    assert (history.last, history.last_message, history.missing_messages) == (2**52, 3, [1, 2])


def test_policy_of_a_file_has_the_log_keys_and_the_operators_quorum() -> None:
    keys = [LOG_KEY.verifier, STRANGER.verifier]
    asked = parse_policy(policy().replace("witness-a ", "w\u00e4 ").replace("log ", "# ").encode())
    written = parse_policy(evidence_policy(keys, asked).encode())
    assert written.log_keys(LOG_KEY.name) == keys
    assert written.witness_keys() == asked.witness_keys()
    for count in range(4):
        signed = verify_signatures(LOG.checkpoint(), asked.witness_keys()[:count])
        assert is_met(written, signed) == is_met(asked, signed) == (count >= 2)
    assert evidence_policy(keys[:1], None) == f"log {keys[0]}\nquorum none\n"
