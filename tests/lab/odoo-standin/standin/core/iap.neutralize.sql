UPDATE iap_account SET account_token = regexp_replace(account_token, '(\+.*)?$', '+disabled') WHERE length(account_token) <= 33
