-- no mail leaves: every server is off, and one that exists nowhere stands before those of the command line
UPDATE ir_mail_server SET active = false;
INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active)
     VALUES ('neutralization - disable emails', 'invalid', 1025, 'none', 'login', true);
-- no job runs but the clean-up
UPDATE ir_cron SET active = false
 WHERE id NOT IN (SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron');
INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true') ON CONFLICT (key) DO UPDATE SET value = 'true';
UPDATE ir_act_server SET webhook_url = 'neutralization - disable webhook' WHERE state = 'webhook'
