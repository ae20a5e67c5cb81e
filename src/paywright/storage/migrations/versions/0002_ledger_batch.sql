-- One batch of increases and decreases: one transaction, whatever the number of calls.
--
-- The plan must not depend on statistics, since a new table has none: rows are found by primary key through LATERAL or LEFT JOIN, which fix the
-- order, and written back by ctid, which cannot move while its customer is locked.
--
-- Calls come sorted by customer, item and arrival. `accounts` are the distinct balances, `owners` the distinct customers; `account_owner` says whose
-- balance the nth is, `call_account` which balance the nth call moves. Locks are taken in one order everywhere: idempotency keys, customers (each
-- sorted); a balance is protected by its customer's row. Whoever is locked by somebody else is left out and comes back as not done.
--
-- `codes`: 0 done; 1 insufficient_quantity; 2 balance_out_of_range; 3 not done, run it alone: the balance is new or something is due; 4 not done,
-- its idempotency key stands already; 5 not done, somebody else holds the customer: send it again in a batch that waits (`waits` 1).
CREATE FUNCTION paywright_ledger_batch(
    p_environment text,
    p_wall bigint,
    p_id text,
    p_owners text[],
    p_account_owner int[],
    p_account_customers text[],
    p_account_items text[],
    p_call_account int[],
    p_customers text[],
    p_items text[],
    p_deltas bigint[],
    p_negative int[],
    p_expires bigint[],
    p_callers text[],
    p_key_hashes bytea[],
    p_fingerprints bytea[],
    p_notes text[],
    p_actors text[],
    p_waits int,
    OUT now bigint,
    OUT codes bigint[],
    OUT balances_after bigint[],
    OUT spents_after bigint[],
    OUT paids bigint[],
    OUT helds bigint[],
    OUT carrieds bigint[],
    OUT versions bigint[],
    OUT pending text
) LANGUAGE plpgsql AS $$
DECLARE
    c_never CONSTANT bigint := 4611686018427387904;
    c_max CONSTANT bigint := 9007199254740991;
    n CONSTANT int := cardinality(p_deltas);
    v_defaults int;
    v_inserted int;
    v_keys int := 0;
    v_version bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_owners)]);
    v_sequence bigint[] := v_version;
    v_held int[] := array_fill(0, ARRAY[cardinality(p_owners)]);
    v_row_id tid[] := array_fill(NULL::tid, ARRAY[cardinality(p_owners)]);
    v_changes text[] := array_fill(''::text, ARRAY[cardinality(p_owners)]);
    b_row_id tid[] := array_fill(NULL::tid, ARRAY[cardinality(p_account_items)]);
    b_balance bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_account_items)]);
    b_spent bigint[] := b_balance;
    b_live bigint[] := b_balance;
    b_entries bigint[] := b_balance;
    b_at bigint[] := b_balance;
    b_due bigint[] := b_balance;
    e_seq bigint[] := array_fill(0::bigint, ARRAY[n]);
    e_sequence bigint[] := e_seq;
    e_at bigint[] := e_seq;
    d_call int[] := '{}';
    d_sequence bigint[] := '{}';
    d_quantity bigint[] := '{}';
    v_account record;
    v_row record;
    i int := 1;
    v_owner int;
    v_balance bigint;
    v_spent bigint;
    v_live bigint;
    v_entries bigint;
    v_due bigint;
    v_at bigint;
    v_delta bigint;
    v_paid bigint;
    v_next bigint;
    v_before bigint;
    v_code int;
    v_expiring boolean := false;
    v_gives boolean := false;
    v_undone boolean := false;
BEGIN
    codes := array_fill(3::bigint, ARRAY[n]);
    balances_after := e_seq;
    spents_after := e_seq;
    paids := e_seq;
    helds := e_seq;
    carrieds := e_seq;
    versions := e_seq;

    -- A key is bound to the entry its call is going to write; a refusal overwrites that below.
    IF p_key_hashes IS NOT NULL THEN
        INSERT INTO idempotency_keys (environment_id, caller, key_hash, fingerprint, subject_id, status, created_at)
        SELECT p_environment, k.caller, k.key_hash, k.fingerprint, 'ent_' || p_id || lpad(to_hex(k.ord * 2), 4, '0'), 200, p_wall
        FROM unnest(p_callers, p_key_hashes, p_fingerprints) WITH ORDINALITY AS k (caller, key_hash, fingerprint, ord)
        WHERE k.key_hash IS NOT NULL
        ORDER BY k.caller, k.key_hash
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_inserted = ROW_COUNT;
        SELECT count(*) INTO v_keys FROM unnest(p_key_hashes) AS k (key_hash) WHERE k.key_hash IS NOT NULL;
        IF v_inserted < v_keys THEN
            FOR v_row IN
                SELECT k.ord::int AS ord
                FROM unnest(p_callers, p_key_hashes) WITH ORDINALITY AS k (caller, key_hash, ord)
                LEFT JOIN LATERAL (
                    SELECT s.subject_id FROM idempotency_keys s
                    WHERE s.environment_id = p_environment AND s.caller = k.caller AND s.key_hash = k.key_hash
                    LIMIT 1
                ) s ON true
                WHERE k.key_hash IS NOT NULL AND s.subject_id IS DISTINCT FROM 'ent_' || p_id || lpad(to_hex(k.ord * 2), 4, '0')
            LOOP
                codes[v_row.ord] := 4;
            END LOOP;
        END IF;
    END IF;

    SELECT CASE WHEN e.clock_ms IS NULL OR e.provider = 'stripe' THEN p_wall
                WHEN e.clock_runs = 1 THEN e.clock_ms + greatest(0, p_wall - e.clock_read_at)
                ELSE e.clock_ms END
    INTO now FROM environments e WHERE e.environment_id = p_environment;
    now := coalesce(now, p_wall);
    SELECT c.defaults_version INTO v_defaults FROM catalogs c WHERE c.environment_id = p_environment;
    v_defaults := coalesce(v_defaults, 0);

    IF p_waits = 1 THEN
        PERFORM 1
        FROM unnest(p_owners) WITH ORDINALITY AS o (customer, ord)
        CROSS JOIN LATERAL (
            SELECT 1 FROM customers x WHERE x.environment_id = p_environment AND x.customer = o.customer FOR UPDATE
        ) c;
    END IF;
    FOR v_row IN
        SELECT o.ord::int AS ord, c.row_id, c.version, c.next_sequence, c.defaults_version
        FROM unnest(p_owners) WITH ORDINALITY AS o (customer, ord)
        CROSS JOIN LATERAL (
            SELECT x.ctid AS row_id, x.version, x.next_sequence, x.defaults_version FROM customers x
            WHERE x.environment_id = p_environment AND x.customer = o.customer
            FOR UPDATE SKIP LOCKED
        ) c
    LOOP
        v_held[v_row.ord] := 1;
        IF v_row.defaults_version = v_defaults THEN
            v_row_id[v_row.ord] := v_row.row_id;
            v_version[v_row.ord] := v_row.version;
            v_sequence[v_row.ord] := v_row.next_sequence;
        END IF;
    END LOOP;

    -- A statement of its own: its snapshot is taken after the locks, so it sees what the holders before us committed.
    FOR v_account IN
        SELECT a.ord::int AS ord, a.item_id, b.ctid AS row_id, b.balance, b.spent, b.live, b.carried, b.held, b.entries, b.at, b.next_due
        FROM unnest(p_account_customers, p_account_items) WITH ORDINALITY AS a (customer, item_id, ord)
        LEFT JOIN balances b ON b.environment_id = p_environment AND b.customer = a.customer AND b.item_id = a.item_id
        ORDER BY a.ord
    LOOP
        v_owner := p_account_owner[v_account.ord];
        v_at := greatest(now, v_account.at);
        IF v_version[v_owner] IS NULL OR v_account.balance IS NULL OR v_at >= v_account.next_due THEN
            v_undone := v_keys > 0;
            WHILE i <= n AND p_call_account[i] = v_account.ord LOOP
                IF codes[i] = 3 AND v_held[v_owner] = 0 AND v_account.balance IS NOT NULL THEN
                    codes[i] := 5;
                END IF;
                i := i + 1;
            END LOOP;
            CONTINUE;
        END IF;
        v_balance := v_account.balance;
        v_spent := v_account.spent;
        v_live := v_account.live;
        v_entries := v_account.entries;
        v_due := v_account.next_due;
        v_next := v_sequence[v_owner];
        v_expiring := v_expiring OR v_due < c_never;
        WHILE i <= n AND p_call_account[i] = v_account.ord LOOP
            v_delta := p_deltas[i];
            v_before := v_balance - v_account.held;
            v_paid := 0;
            v_code := 0;
            IF codes[i] = 4 THEN
                v_code := 4;
            ELSIF v_delta < 0 THEN
                IF v_before + v_delta < 0 AND p_negative[i] = 0 THEN
                    v_code := 1;
                ELSIF v_before + v_delta < -c_max OR v_spent - v_delta > c_never THEN
                    v_code := 2;
                END IF;
            ELSIF p_expires[i] <> 0 AND p_expires[i] <= v_at THEN
                v_code := 3;
            ELSIF v_balance + v_delta > c_max OR v_live + v_delta > c_never THEN
                v_code := 2;
            END IF;
            codes[i] := v_code;
            IF v_code = 0 THEN
                v_balance := v_balance + v_delta;
                IF v_delta < 0 THEN
                    v_spent := v_spent - v_delta;
                ELSE
                    v_gives := true;
                    v_paid := least(v_delta, greatest(0, v_delta - v_balance));
                    v_live := v_live + v_delta - v_paid;
                    v_spent := v_spent - v_paid;
                    IF p_expires[i] <> 0 AND v_delta > v_paid THEN
                        v_due := least(v_due, p_expires[i]);
                        v_expiring := true;
                    END IF;
                END IF;
                v_entries := v_entries + 1;
                e_seq[i] := v_entries;
                e_sequence[i] := v_next;
                e_at[i] := v_at;
                v_next := v_next + 1;
                IF v_before > 0 AND v_balance - v_account.held <= 0 THEN
                    d_call := d_call || i;
                    d_sequence := d_sequence || v_next;
                    d_quantity := d_quantity || (v_balance - v_account.held);
                    v_next := v_next + 1;
                END IF;
            ELSE
                v_undone := v_keys > 0;
            END IF;
            balances_after[i] := v_balance;
            spents_after[i] := v_spent;
            paids[i] := v_paid;
            helds[i] := v_account.held;
            carrieds[i] := v_account.carried;
            versions[i] := v_version[v_owner] + 1;
            i := i + 1;
        END LOOP;
        IF v_entries > v_account.entries THEN
            b_row_id[v_account.ord] := v_account.row_id;
            b_balance[v_account.ord] := v_balance;
            b_spent[v_account.ord] := v_spent;
            b_live[v_account.ord] := v_live;
            b_entries[v_account.ord] := v_entries;
            b_at[v_account.ord] := v_at;
            b_due[v_account.ord] := v_due;
            v_sequence[v_owner] := v_next;
            v_changes[v_owner] := v_changes[v_owner] || CASE v_changes[v_owner] WHEN '' THEN '"items.' ELSE ',"items.' END || v_account.item_id || '"';
        END IF;
    END LOOP;

    -- As it was before this batch's own increases: the caller adds those, each from its own call on.
    IF v_expiring THEN
        SELECT json_agg(json_build_array(x.ord, x.due, x.live)) INTO pending
        FROM (
            SELECT a.ord, g.due, g.live
            FROM unnest(p_account_customers, p_account_items) WITH ORDINALITY AS a (customer, item_id, ord)
            CROSS JOIN LATERAL (
                SELECT i.due, sum(i.live)::bigint AS live FROM item_grants i
                WHERE i.environment_id = p_environment AND i.customer = a.customer AND i.item_id = a.item_id AND i.live > 0 AND i.due < c_never
                GROUP BY i.due
            ) g
        ) x;
    END IF;

    UPDATE balances b
    SET balance = a.balance, spent = a.spent, live = a.live, entries = a.entries, at = a.at, next_due = a.due
    FROM unnest(b_row_id, b_balance, b_spent, b_live, b_entries, b_at, b_due) AS a (row_id, balance, spent, live, entries, at, due)
    WHERE b.ctid = a.row_id;

    INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, balance_after, held_after,
                                spent_after, at, effective_at, expires_at, item_key, note, actor)
    SELECT p_environment, 'ent_' || p_id || lpad(to_hex(u.ord * 2), 4, '0'), u.customer, u.item_id, u.seq, u.sequence, u.version,
           CASE WHEN u.delta < 0 THEN 'decrease' ELSE 'grant' END, abs(u.delta), u.delta, u.balance, u.held, u.spent, u.at, u.at,
           nullif(u.expires, 0),
           CASE WHEN u.delta < 0 THEN NULL WHEN u.expires = 0 THEN 'never' ELSE 'at:' || u.expires END, u.note, u.actor
    FROM unnest(p_customers, p_items, p_deltas, p_expires, e_seq, e_sequence, e_at, balances_after, spents_after, helds, versions, p_notes, p_actors)
        WITH ORDINALITY AS u (customer, item_id, delta, expires, seq, sequence, at, balance, spent, held, version, note, actor, ord)
    WHERE u.seq > 0;

    IF v_gives THEN
        INSERT INTO item_grants (environment_id, customer, item_id, id, kind, item_key, granted_at, sequence, due, quantity, paid, live)
        SELECT p_environment, u.customer, u.item_id, 'ent_' || p_id || lpad(to_hex(u.ord * 2), 4, '0'), 'grant',
               CASE WHEN u.expires = 0 THEN 'never' ELSE 'at:' || u.expires END, u.at, u.sequence,
               CASE WHEN u.expires = 0 THEN c_never + 1 ELSE u.expires END, u.delta, u.paid, u.delta - u.paid
        FROM unnest(p_customers, p_items, p_deltas, p_expires, e_seq, e_sequence, e_at, paids)
            WITH ORDINALITY AS u (customer, item_id, delta, expires, seq, sequence, at, paid, ord)
        WHERE u.seq > 0 AND u.delta > 0;
    END IF;

    UPDATE customers c
    SET version = o.version + 1, next_sequence = o.sequence + 1
    FROM unnest(v_row_id, v_version, v_sequence, v_changes) AS o (row_id, version, sequence, changes)
    WHERE c.ctid = o.row_id AND o.changes <> '';

    IF cardinality(d_call) > 0 THEN
        INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
        SELECT p_environment, 'evt_' || p_id || lpad(to_hex(d.call * 2 + 1), 4, '0'), p_customers[d.call], d.sequence, 'item.depleted', now,
               '{"item_id":"' || p_items[d.call] || '","quantity":' || d.quantity || '}'
        FROM unnest(d_call, d_sequence, d_quantity) AS d (call, sequence, quantity);
    END IF;

    INSERT INTO events (environment_id, id, customer, sequence, type, created_at, data)
    SELECT p_environment, 'evt_' || p_id || lpad(to_hex(32768 + o.ord), 4, '0'), o.customer, o.sequence, 'customer.state_changed', now,
           '{"version":' || (o.version + 1) || ',"changes":[' || o.changes || '],"previous":' || o.version || '}'
    FROM unnest(p_owners, v_version, v_sequence, v_changes) WITH ORDINALITY AS o (customer, version, sequence, changes, ord)
    WHERE o.changes <> '';

    -- What was refused keeps its key with the refusal; what was not done gives its key back.
    IF v_undone THEN
        FOR i IN 1 .. n LOOP
            CONTINUE WHEN codes[i] IN (0, 4) OR p_key_hashes[i] IS NULL;
            IF codes[i] IN (3, 5) THEN
                DELETE FROM idempotency_keys s
                WHERE s.environment_id = p_environment AND s.caller = p_callers[i] AND s.key_hash = p_key_hashes[i];
            ELSE
                UPDATE idempotency_keys s
                SET subject_id = NULL, status = CASE codes[i] WHEN 1 THEN 402 ELSE 422 END,
                    body = CASE codes[i]
                        WHEN 1 THEN '{"code":"insufficient_quantity","facts":{"requested":' || -p_deltas[i]
                            || ',"available":' || balances_after[i] - helds[i] || '}}'
                        ELSE '{"code":"balance_out_of_range","facts":{}}' END
                WHERE s.environment_id = p_environment AND s.caller = p_callers[i] AND s.key_hash = p_key_hashes[i];
            END IF;
        END LOOP;
    END IF;
END
$$
