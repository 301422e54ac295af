#!/bin/bash
# Entrypoint of ipaictl/odoo-standin: the official Odoo image's contract.
#
# HOST, PORT, USER and PASSWORD (or PASSWORD_FILE) become --db_* options, but a
# key that stands in the configuration file is taken from there. The options go
# AFTER the caller's arguments, which breaks sub-commands such as `odoo db`.
set -e

[ -z "${PASSWORD_FILE+set}" ] || PASSWORD="$(<"$PASSWORD_FILE")"
: "${HOST:=${DB_PORT_5432_TCP_ADDR:-db}}"
: "${PORT:=${DB_PORT_5432_TCP_PORT:-5432}}"
: "${USER:=${DB_ENV_POSTGRES_USER:-${POSTGRES_USER:-odoo}}}"
: "${PASSWORD:=${DB_ENV_POSTGRES_PASSWORD:-${POSTGRES_PASSWORD:-odoo}}}"

database=()
# The third word of the line is the value, so "key = value" is understood and
# "key=value" is not; that is how the official image reads the file as well.
option() {
  local name="$1" value="$2" line
  if line="$(grep -E "^\s*\b$name\b\s*=" "$ODOO_RC")"; then
    value="$(cut -d ' ' -f 3 <<<"$line" | sed 's/["\r]//g')"
  fi
  database+=("--$name" "$value")
}
option db_host "$HOST"
option db_port "$PORT"
option db_user "$USER"
option db_password "$PASSWORD"

case "$1" in
  -- | odoo)
    shift
    if [ "$1" = scaffold ]; then exec odoo "$@"; fi
    ;;
  -*) ;;
  *) exec "$@" ;;
esac
# shellcheck disable=SC2068  # a value with a blank falls apart here, as in the official image
wait-for-psql.py ${database[@]} --timeout=30
exec odoo "$@" "${database[@]}"
