-- The single-call form of paywright_ledger_batch, for a caller who is alone: the same decisions and rows in as few statements as there can be.
--
-- Lock and balance are read by one statement. Should somebody else have committed between its snapshot and its lock, the balance it read is an old
-- row version, the update finds nothing, and the call is reported as not done because somebody else was there.
CREATE FUNCTION paywright_ledger_call(
    p_environment text,
    p_wall bigint,
    p_id text,
    p_customer text,
    p_item text,
    p_delta bigint,
    p_negative int,
    p_expires bigint,
    p_caller text,
    p_key_hash bytea,
    p_fingerprint bytea,
    p_note text,
    p_actor text,
    OUT now bigint,
    OUT code int,
    OUT balance_after bigint,
    OUT spent_after bigint,
    OUT paid bigint,
    OUT held bigint,
    OUT carried bigint,
    OUT version bigint,
    OUT pending text
) LANGUAGE plpgsql AS $$
DECLARE
    c_never CONSTANT bigint := 4611686018427387904;
    c_max CONSTANT bigint := 9007199254740991;
    v record;
    v_live bigint;
    v_due bigint;
    v_before bigint;
    v_told int := 0;
BEGIN
    code := 3;
    paid := 0;
    IF p_key_hash IS NOT NULL THEN
        INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, subject_id, status, created_at)
        VALUES (p_environment, p_caller, p_key_hash, p_fingerprint, 'ent_' || p_id || '0002', 200, p_wall)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            code := 4;
            RETURN;
        END IF;
    END IF;

    SELECT c.ctid AS customer_row, c.version, c.next_sequence, b.*, greatest(k.now, b.at) AS t
    INTO v
    FROM (
        SELECT coalesce(
            (SELECT CASE WHEN e.clock_ms IS NULL OR e.provider = 'stripe' THEN p_wall
                         WHEN e.clock_runs = 1 THEN e.clock_ms + greatest(0, p_wall - e.clock_read_at)
                         ELSE e.clock_ms END
             FROM environments e WHERE e.environment_id = p_environment), p_wall) AS now,
            coalesce((SELECT d.defaults_version FROM catalogs d WHERE d.environment_id = p_environment), 0) AS defaults_version
        OFFSET 0
    ) k
    CROSS JOIN LATERAL (
        SELECT x.ctid AS balance_row, x.balance, x.spent, x.live, x.carried, x.held, x.entries, x.at, x.next_due
        FROM balances x
        WHERE x.environment_id = p_environment AND x.customer = p_customer AND x.item_id = p_item
        OFFSET 0
    ) b
    CROSS JOIN LATERAL (
        SELECT y.ctid, y.version, y.next_sequence, y.defaults_version
        FROM customers y
        WHERE y.environment_id = p_environment AND y.customer = p_customer
        FOR UPDATE SKIP LOCKED
    ) c
    WHERE c.defaults_version = k.defaults_version;

    IF FOUND AND v.t < v.next_due AND NOT (p_delta > 0 AND p_expires <> 0 AND p_expires <= v.t) THEN
        now := v.t;
        held := v.held;
        carried := v.carried;
        version := v.version + 1;
        balance_after := v.balance;
        v_before := v.balance - v.held;
        v_live := v.live;
        v_due := v.next_due;
        code := CASE
            WHEN p_delta < 0 AND v_before + p_delta < 0 AND p_negative = 0 THEN 1
            WHEN p_delta < 0 AND (v_before + p_delta < -c_max OR v.spent - p_delta > c_never) THEN 2
            WHEN p_delta > 0 AND (v.balance + p_delta > c_max OR v.live + p_delta > c_never) THEN 2
            ELSE 0 END;
        IF code = 0 THEN
            balance_after := v.balance + p_delta;
            IF p_delta < 0 THEN
                spent_after := v.spent - p_delta;
            ELSE
                paid := least(p_delta, greatest(0, -v.balance));
                spent_after := v.spent - paid;
                v_live := v_live + p_delta - paid;
                IF p_expires <> 0 AND p_delta > paid THEN
                    v_due := least(v_due, p_expires);
                END IF;
            END IF;
            UPDATE balances b
            SET balance = balance_after, spent = spent_after, live = v_live, entries = v.entries + 1, at = v.t, next_due = v_due
            WHERE b.ctid = v.balance_row AND b.entries = v.entries;
            IF NOT FOUND THEN
                code := 5;
            END IF;
        END IF;
    ELSIF v.balance IS NULL THEN
        PERFORM 1 FROM balances x WHERE x.environment_id = p_environment AND x.customer = p_customer AND x.item_id = p_item;
        IF FOUND THEN
            code := 5;
        END IF;
    END IF;

    IF code <> 0 THEN
        IF p_key_hash IS NOT NULL AND code IN (3, 5) THEN
            DELETE FROM idempotency_keys s WHERE s.environment_id = p_environment AND s.caller = p_caller AND s.key_hash = p_key_hash;
        ELSIF p_key_hash IS NOT NULL THEN
            UPDATE idempotency_keys s
            SET subject_id = NULL, status = CASE code WHEN 1 THEN 402 ELSE 422 END,
                body = CASE code
                    WHEN 1 THEN '{"code":"insufficient_quantity","facts":{"requested":' || -p_delta || ',"available":' || v_before || '}}'
                    ELSE '{"code":"balance_out_of_range","facts":{}}' END
            WHERE s.environment_id = p_environment AND s.caller = p_caller AND s.key_hash = p_key_hash;
        END IF;
        RETURN;
    END IF;

    IF v.next_due < c_never THEN
        SELECT json_agg(json_build_array(1, g.due, g.live)) INTO pending
        FROM (
            SELECT i.due, sum(i.live)::bigint AS live FROM item_grants i
            WHERE i.environment_id = p_environment AND i.customer = p_customer AND i.item_id = p_item AND i.live > 0 AND i.due < c_never
            GROUP BY i.due
        ) g;
    END IF;

    IF p_delta > 0 THEN
        INSERT INTO item_grants (environment_id, customer, item_id, id, kind, item_key, granted_at, sequence, due, quantity, paid, live)
        VALUES (p_environment, p_customer, p_item, 'ent_' || p_id || '0002', 'grant',
                CASE WHEN p_expires = 0 THEN 'never' ELSE 'at:' || p_expires END, v.t, v.next_sequence,
                CASE WHEN p_expires = 0 THEN c_never + 1 ELSE p_expires END, p_delta, paid, p_delta - paid);
    END IF;
    IF v_before > 0 AND balance_after - held <= 0 THEN
        v_told := 1;
        INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
        VALUES (p_environment, 'evt_' || p_id || '0003', p_customer, v.next_sequence + 1, 'item.depleted', v.t,
                '{"item_id":"' || p_item || '","quantity":' || balance_after - held || '}');
    END IF;

    WITH entered AS (
        INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, balance_after,
                                    held_after, spent_after, at, effective_at, expires_at, item_key, note, actor)
        VALUES (p_environment, 'ent_' || p_id || '0002', p_customer, p_item, v.entries + 1, v.next_sequence, v.version + 1,
                CASE WHEN p_delta < 0 THEN 'decrease' ELSE 'grant' END, abs(p_delta), p_delta, balance_after, held, spent_after, v.t, v.t,
                nullif(p_expires, 0),
                CASE WHEN p_delta < 0 THEN NULL WHEN p_expires = 0 THEN 'never' ELSE 'at:' || p_expires END, p_note, p_actor)
    ), counted AS (
        UPDATE customers c SET version = v.version + 1, next_sequence = v.next_sequence + 2 + v_told WHERE c.ctid = v.customer_row
    )
    INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
    VALUES (p_environment, 'evt_' || p_id || '8001', p_customer, v.next_sequence + 1 + v_told, 'customer.state_changed', v.t,
            '{"version":' || v.version + 1 || ',"changes":["items.' || p_item || '"],"previous":' || v.version || '}');
END
$$
