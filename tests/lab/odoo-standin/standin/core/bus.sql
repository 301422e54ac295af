CREATE TABLE IF NOT EXISTS bus_bus (
    id serial PRIMARY KEY, create_uid integer, write_uid integer, channel varchar, message varchar, create_date timestamp without time zone, write_date timestamp without time zone
);
