CREATE TABLE IF NOT EXISTS mail_message (
    id serial PRIMARY KEY, subject varchar, date timestamp without time zone, body text, model varchar, res_id integer, message_type varchar NOT NULL,
    email_from varchar, message_id varchar, reply_to varchar, author_id integer, mail_server_id integer, create_date timestamp without time zone, is_internal boolean
);
CREATE TABLE IF NOT EXISTS mail_mail (
    id serial PRIMARY KEY, mail_message_id integer NOT NULL, fetchmail_server_id integer, email_cc varchar, state varchar, failure_type varchar, body_html text,
    "references" text, headers text, email_to text, failure_reason text, is_notification boolean, auto_delete boolean, scheduled_date timestamp without time zone,
    create_date timestamp without time zone, write_date timestamp without time zone
);
CREATE TABLE IF NOT EXISTS mail_template (id serial PRIMARY KEY, name jsonb, model varchar, mail_server_id integer, email_from varchar, subject jsonb, body_html jsonb);
CREATE TABLE IF NOT EXISTS fetchmail_server (id serial PRIMARY KEY, name varchar NOT NULL, active boolean, state varchar, server varchar, port integer, "user" varchar, password varchar);
CREATE TABLE IF NOT EXISTS mail_push (id serial PRIMARY KEY, payload varchar, mail_push_device_id integer);
CREATE TABLE IF NOT EXISTS mail_push_device (id serial PRIMARY KEY, partner_id integer, endpoint varchar NOT NULL, keys varchar NOT NULL);
INSERT INTO ir_act_server (type, name, model_name, usage, state, code) SELECT 'ir.actions.server', '{"en_US": "Mail: Email Queue Manager"}', 'mail.mail', 'ir_cron', 'code', 'model.process_email_queue(batch_size=1000)'
    WHERE NOT EXISTS (SELECT 1 FROM ir_model_data WHERE module = 'mail' AND name = 'ir_cron_mail_scheduler_action');
INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, cron_name, active, nextcall, priority, failure_count)
    SELECT max(id), 1, 1, 'hours', 'Mail: Email Queue Manager', true, now() AT TIME ZONE 'UTC' + interval '1 hour', 6, 0 FROM ir_act_server
    WHERE NOT EXISTS (SELECT 1 FROM ir_model_data WHERE module = 'mail' AND name = 'ir_cron_mail_scheduler_action');
INSERT INTO ir_model_data (name, module, model, res_id, noupdate) SELECT 'ir_cron_mail_scheduler_action', 'mail', 'ir.cron', max(id), true FROM ir_cron ON CONFLICT (module, name) DO NOTHING;
