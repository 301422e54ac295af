CREATE TABLE IF NOT EXISTS iap_account (id serial PRIMARY KEY, name varchar, account_token varchar(43));
