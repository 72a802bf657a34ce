-- Offers of a booking to people who could take it, and the SMS that answer them (BK-9). Every change of an offer
-- happens under the lock of its booking's row. What happened to an offer is told by events.
-- Personal data: name and phone. An erasure writes '' into them; '' is the phone of no sender.
CREATE TABLE offer (
    offer_id uuid PRIMARY KEY,
    booking_id uuid NOT NULL REFERENCES booking (booking_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    person_id text NOT NULL,
    name text NOT NULL,
    phone text NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'closed')),
    closed_reason text CHECK (closed_reason IN ('expired', 'withdrawn', 'taken', 'booking_closed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- When the offer was accepted or closed last.
    decided_at timestamptz,
    CHECK ((status = 'closed') = (closed_reason IS NOT NULL)),
    CHECK ((status = 'open') = (decided_at IS NULL))
);

-- One person takes a booking, and a phone has one open offer of it.
CREATE UNIQUE INDEX offer_accepted ON offer (booking_id) WHERE status = 'accepted';
CREATE UNIQUE INDEX offer_open ON offer (booking_id, phone) WHERE status = 'open' AND phone <> '';
CREATE INDEX offer_booking ON offer (booking_id, offer_id);
-- Offers that the expiry looks at.
CREATE INDEX offer_due ON offer (expires_at) WHERE status = 'open';
CREATE INDEX offer_phone ON offer (phone, offer_id);

GRANT SELECT ON offer TO booking;
GRANT INSERT (offer_id, booking_id, person_id, name, phone, expires_at) ON offer TO booking;
GRANT UPDATE (status, closed_reason, decided_at) ON offer TO booking;
GRANT SELECT, UPDATE (name, phone) ON offer TO booking_eraser;

-- Every inbound SMS, whether it answers an offer or not. Personal data: sender, recipient and text, which an
-- erasure empties. The service never changes a row.
CREATE TABLE sms_message (
    sms_message_id uuid PRIMARY KEY DEFAULT uuidv7(),
    source text NOT NULL,
    event_id text NOT NULL,
    -- The provider's id of the message.
    message_id text,
    sender text NOT NULL,
    recipient text NOT NULL,
    text text NOT NULL,
    -- By the provider's clock.
    received_at timestamptz,
    -- The offer that the message accepted, or to which it came too late.
    offer_id uuid REFERENCES offer (offer_id) ON UPDATE RESTRICT ON DELETE RESTRICT,
    outcome text NOT NULL CHECK (outcome IN (
        'accepted', 'already_accepted', 'too_late', 'ambiguous', 'no_offer', 'no_yes', 'unknown_sender'
    )),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (source, event_id)
);

-- An erasure finds a person's messages by phone.
CREATE INDEX sms_message_sender ON sms_message (sender);
CREATE INDEX sms_message_offer ON sms_message (offer_id);

GRANT SELECT ON sms_message TO booking;
GRANT INSERT (
    source, event_id, message_id, sender, recipient, text, received_at, offer_id, outcome
) ON sms_message TO booking;
GRANT SELECT, UPDATE (sender, recipient, text) ON sms_message TO booking_eraser;
