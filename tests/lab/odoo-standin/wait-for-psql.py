#!/usr/bin/python3
"""Waits until PostgreSQL lets us in; ends with 1 when it does not in time."""
import argparse
import sys
import time

import psycopg2

parser = argparse.ArgumentParser()
for name in ("db_host", "db_port", "db_user", "db_password"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--timeout", type=int, default=5)
args = parser.parse_args()

error = "no attempt was made"
until = time.monotonic() + args.timeout
while time.monotonic() < until:
    try:
        psycopg2.connect(host=args.db_host, port=args.db_port, user=args.db_user, password=args.db_password, dbname="postgres").close()
    except psycopg2.OperationalError as err:
        error = err
        time.sleep(1)
    else:
        sys.exit(0)
print(f"Database connection failure: {error}", file=sys.stderr)
sys.exit(1)
