#!/usr/bin/env bash
# Makes new secrets in FOLDER, which must not have any: Redis' users; the address with the password that its clients
# read; the gateway's tokens, one for its callers and one for Prometheus; and the latter alone.
#
#   deploy/make_secrets.sh deploy/compose/secrets
set -euo pipefail
[ $# -eq 1 ] || { echo "expected one argument, the folder: $0 FOLDER" >&2; exit 2; }
folder=$1

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
mkdir -p "$folder"
chmod 700 "$folder"
for name in users.acl redis_url tokens metrics_token; do
  [ ! -e "$folder/$name" ] || { echo "$folder/$name is there already; remove it for a new one" >&2; exit 1; }
done
password=$(random)
# Nobody can be the default user. It needs its rights nevertheless: as it, Redis reads the transactions of its own file
# at the start, and would skip what it may not do. Health checks may ping, with any password. The clients get their own
# keys and no command that could take the server down or change its users.
cat >"$folder/users.acl" <<ACL
user default off resetpass ~* &* +@all
user health on nopass resetkeys resetchannels -@all +ping
user adlens on #$(printf %s "$password" | sha256sum | cut -d' ' -f1) resetkeys ~adlens:* ~{adlens:* resetchannels +@all -@admin -@dangerous +info +config|get
ACL
printf 'redis://adlens:%s@redis:6379/0\n' "$password" >"$folder/redis_url"
random >"$folder/metrics_token"
printf '%s\n' "$(random)" "$(cat "$folder/metrics_token")" >"$folder/tokens"
# Wherever the folder is, no git takes it.
echo '*' >"$folder/.gitignore"
# The containers' users, who are not the owner, read the files; the folder keeps others on this machine out.
chmod 444 "$folder"/{users.acl,redis_url,tokens,metrics_token}
