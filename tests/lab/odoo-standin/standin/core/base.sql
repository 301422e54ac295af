-- Base: run at installation and at each update, so every statement may be run again.
CREATE SEQUENCE IF NOT EXISTS base_registry_signaling;
ALTER TABLE res_partner ADD COLUMN IF NOT EXISTS email varchar, ADD COLUMN IF NOT EXISTS phone varchar, ADD COLUMN IF NOT EXISTS mobile varchar,
    ADD COLUMN IF NOT EXISTS street varchar, ADD COLUMN IF NOT EXISTS city varchar, ADD COLUMN IF NOT EXISTS zip varchar, ADD COLUMN IF NOT EXISTS vat varchar,
    ADD COLUMN IF NOT EXISTS lang varchar, ADD COLUMN IF NOT EXISTS comment text, ADD COLUMN IF NOT EXISTS complete_name varchar,
    ADD COLUMN IF NOT EXISTS active boolean, ADD COLUMN IF NOT EXISTS is_company boolean, ADD COLUMN IF NOT EXISTS write_date timestamp without time zone;
ALTER TABLE res_company ADD COLUMN IF NOT EXISTS email varchar, ADD COLUMN IF NOT EXISTS phone varchar, ADD COLUMN IF NOT EXISTS active boolean;
ALTER TABLE res_users ADD COLUMN IF NOT EXISTS signature text, ADD COLUMN IF NOT EXISTS share boolean, ADD COLUMN IF NOT EXISTS write_date timestamp without time zone;
CREATE TABLE IF NOT EXISTS ir_config_parameter (
    id serial PRIMARY KEY, create_uid integer, write_uid integer, key varchar NOT NULL, value text NOT NULL, create_date timestamp without time zone,
    write_date timestamp without time zone, CONSTRAINT ir_config_parameter_key_uniq UNIQUE (key)
);
CREATE TABLE IF NOT EXISTS ir_model (
    id serial PRIMARY KEY, model varchar NOT NULL UNIQUE, name jsonb NOT NULL, info text, state varchar, transient boolean, "order" varchar NOT NULL DEFAULT 'id'
);
CREATE TABLE IF NOT EXISTS ir_model_access (
    id serial PRIMARY KEY, model_id integer NOT NULL, group_id integer, name varchar NOT NULL, active boolean, perm_read boolean, perm_write boolean,
    perm_create boolean, perm_unlink boolean
);
CREATE TABLE IF NOT EXISTS ir_attachment (
    id serial PRIMARY KEY, res_id integer, company_id integer, file_size integer, create_uid integer, write_uid integer, name varchar NOT NULL,
    res_model varchar, res_field varchar, type varchar NOT NULL, url varchar, access_token varchar, store_fname varchar, checksum varchar(40),
    mimetype varchar, description text, index_content text, public boolean, create_date timestamp without time zone,
    write_date timestamp without time zone, db_datas bytea
);
CREATE TABLE IF NOT EXISTS ir_mail_server (
    id serial PRIMARY KEY, smtp_port integer, sequence integer, create_uid integer, write_uid integer, name varchar NOT NULL, from_filter varchar,
    smtp_host varchar, smtp_authentication varchar NOT NULL, smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL, smtp_debug boolean,
    active boolean, create_date timestamp without time zone, write_date timestamp without time zone, max_email_size double precision
);
CREATE TABLE IF NOT EXISTS ir_act_server (
    id serial PRIMARY KEY, type varchar NOT NULL, name jsonb NOT NULL, model_name varchar, usage varchar NOT NULL, state varchar NOT NULL, webhook_url varchar, code text
);
CREATE TABLE IF NOT EXISTS ir_cron (
    id serial PRIMARY KEY, ir_actions_server_id integer NOT NULL, user_id integer NOT NULL, interval_number integer NOT NULL CHECK (interval_number > 0),
    priority integer, failure_count integer, cron_name varchar, interval_type varchar NOT NULL, active boolean,
    nextcall timestamp without time zone NOT NULL, lastcall timestamp without time zone, first_failure_date timestamp without time zone
);
CREATE TABLE IF NOT EXISTS ir_cron_trigger (id serial PRIMARY KEY, cron_id integer, call_at timestamp without time zone);
CREATE TABLE IF NOT EXISTS ir_ui_view (
    id serial PRIMARY KEY, name varchar NOT NULL, model varchar, key varchar, type varchar, mode varchar NOT NULL, arch_db jsonb, active boolean, priority integer NOT NULL
);
CREATE TABLE IF NOT EXISTS ir_logging (
    id serial PRIMARY KEY, create_date timestamp without time zone, type varchar NOT NULL, dbname varchar, name varchar NOT NULL, level varchar,
    message text NOT NULL, path varchar NOT NULL, line varchar NOT NULL, func varchar NOT NULL
);
CREATE TABLE IF NOT EXISTS res_users_apikeys (
    id serial PRIMARY KEY, name varchar NOT NULL, user_id integer NOT NULL, scope varchar, expiration_date timestamp without time zone, index varchar(8), key varchar,
    create_date timestamp without time zone DEFAULT (now() AT TIME ZONE 'utc')
);

INSERT INTO res_partner (name, email, active) SELECT * FROM (VALUES ('System', 'odoobot@example.com', false), ('Administrator', 'admin@example.com', true),
    ('Public user', NULL, false), ('Default User Template', NULL, false), ('Portal User Template', NULL, false)) AS new (name, email, active)
    WHERE (SELECT count(*) FROM res_partner) = 1;
UPDATE res_users SET partner_id = 2 WHERE id = 1 AND partner_id = 1;
INSERT INTO res_users (login, password, active, partner_id, company_id, create_date)
    SELECT login, password, active, partner_id, 1, now() AT TIME ZONE 'UTC' FROM (VALUES ('admin', 'admin', true, 3), ('default', NULL, false, 5),
    ('public', '', false, 4), ('portaltemplate', NULL, false, 6)) AS new (login, password, active, partner_id)
    WHERE (SELECT count(*) FROM res_users) = 1;
INSERT INTO ir_act_server (type, name, model_name, usage, state, code)
    SELECT 'ir.actions.server', name::jsonb, model, 'ir_cron', 'code', code FROM (VALUES
    ('{"en_US": "Base: Auto-vacuum internal data"}', 'ir.autovacuum', 'model._run_vacuum_cleaner()'),
    ('{"en_US": "Base: Portal Users Deletion"}', 'res.users.deletion', 'model._gc_portal_users()')) AS new (name, model, code)
    WHERE NOT EXISTS (SELECT 1 FROM ir_act_server);
INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, cron_name, active, nextcall, priority, failure_count)
    SELECT id, 1, 1, 'days', name->>'en_US', id = 1, now() AT TIME ZONE 'UTC', 5, 0 FROM ir_act_server WHERE usage = 'ir_cron' AND NOT EXISTS (SELECT 1 FROM ir_cron);
INSERT INTO ir_model_data (name, module, model, res_id, noupdate) VALUES ('user_admin', 'base', 'res.users', 2, true), ('partner_admin', 'base', 'res.partner', 3, true),
    ('partner_root', 'base', 'res.partner', 2, true), ('autovacuum_job', 'base', 'ir.cron', 1, true), ('ir_cron_res_users_deletion', 'base', 'ir.cron', 2, true)
    ON CONFLICT (module, name) DO NOTHING;
