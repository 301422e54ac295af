-- Tables that exist before a module is loaded, and the rows in them.
CREATE TABLE ir_module_category (id serial PRIMARY KEY, name jsonb NOT NULL, parent_id integer, sequence integer);
CREATE TABLE ir_module_module (
    id serial PRIMARY KEY, create_uid integer, create_date timestamp without time zone, write_date timestamp without time zone, write_uid integer,
    website varchar, summary jsonb, name varchar NOT NULL, author varchar, icon varchar, state varchar(16), latest_version varchar, shortdesc jsonb,
    category_id integer, description jsonb, application boolean DEFAULT false, demo boolean DEFAULT false, web boolean DEFAULT false,
    license varchar(32), sequence integer DEFAULT 100, auto_install boolean DEFAULT false, to_buy boolean DEFAULT false,
    CONSTRAINT ir_module_module_name_uniq UNIQUE (name)
);
CREATE TABLE ir_module_module_dependency (
    id serial PRIMARY KEY, name varchar, module_id integer REFERENCES ir_module_module ON DELETE CASCADE, auto_install_required boolean DEFAULT true
);
CREATE TABLE ir_model_data (
    id serial PRIMARY KEY, create_uid integer, create_date timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'),
    write_date timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'), write_uid integer, res_id integer, noupdate boolean DEFAULT false,
    name varchar NOT NULL, module varchar NOT NULL, model varchar NOT NULL
);
CREATE UNIQUE INDEX ir_model_data_module_name_uniq_index ON ir_model_data (module, name);
CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL, symbol varchar NOT NULL);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL, partner_id integer, currency_id integer, sequence integer, create_date timestamp without time zone);
CREATE TABLE res_partner (id serial PRIMARY KEY, company_id integer, create_date timestamp without time zone, name varchar);
CREATE TABLE res_groups (id serial PRIMARY KEY, name jsonb NOT NULL);
CREATE TABLE res_users (
    id serial PRIMARY KEY, company_id integer, partner_id integer, active boolean DEFAULT true, create_date timestamp without time zone,
    login varchar NOT NULL UNIQUE, password varchar
);
INSERT INTO res_currency (name, symbol) VALUES ('USD', '$');
INSERT INTO res_company (name, partner_id, currency_id, create_date) VALUES ('My Company', 1, 1, now() AT TIME ZONE 'UTC');
INSERT INTO res_partner (name, company_id, create_date) VALUES ('My Company', 1, now() AT TIME ZONE 'UTC');
INSERT INTO res_groups (name) VALUES ('{"en_US": "Employee"}');
INSERT INTO res_users (login, active, partner_id, company_id, create_date) VALUES ('__system__', false, 1, 1, now() AT TIME ZONE 'UTC');
INSERT INTO ir_model_data (name, module, model, res_id, noupdate) VALUES
    ('USD', 'base', 'res.currency', 1, true), ('main_company', 'base', 'res.company', 1, true), ('main_partner', 'base', 'res.partner', 1, true),
    ('group_user', 'base', 'res.groups', 1, true), ('user_root', 'base', 'res.users', 1, true);
