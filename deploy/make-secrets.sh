#!/bin/sh
# Makes the files of secrets that docker-compose.yml names, once: deploy/make-secrets.sh [FOLDER]   (default: deploy/secrets)
# DATABASE_AT and REDIS_AT say where these two are, where they are not the stack's own services.
set -eu
umask 022  # the folder is closed; in a container each file is there alone, for a user of its own
folder=${1:-$(dirname "$0")/secrets}
mkdir -m 700 "$folder"
cd "$folder"
word() { python3 -c "import secrets; print(secrets.token_urlsafe(24))"; }
for name in database_password redis_password store_key store_secret; do word > "$name"; done
echo "cueflow:$(word)" > api_auth
echo "postgresql+asyncpg://prefect:$(cat database_password)@${DATABASE_AT:-postgres:5432}/prefect" > database_url
echo "redis://:$(cat redis_password)@${REDIS_AT:-redis:6379}/0" > redis_url
echo "requirepass $(cat redis_password)" > redis.conf
printf '{"identities": [{"name": "cueflow", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin"]}]}\n' \
    "$(cat store_key)" "$(cat store_secret)" > store_config.json
