#!/usr/bin/env bash
#
# Makes the certificates of the lab: a certificate authority (CA), the server's certificate and one for each client.
# Needs bash (3.2 or newer) and openssl (OpenSSL 1.1.1 or 3, or LibreSSL). cert/README.md explains what comes out.
#
# Running it again is safe. What exists and is valid stays; what has expired or expires within a day, does not fit its
# key, was not signed by the CA that is there now, or (the server's) lives longer than --days asks for, is made anew. Nothing is ever half written: files are made in a
# temporary directory next to the old ones and moved into place when all of them are ready. And nothing is lost that was not made
# here: a certificate or key of somebody else's that stands in the way is kept under another name.

set -euo pipefail
umask 077

here=${BASH_SOURCE[0]}
[[ $here == */* ]] || here=./$here
here=$(cd -- "${here%/*}" && pwd)

# Browsers and Apple's systems refuse server certificates that live longer than this.
MAX_DAYS=397
CA_DAYS=3650
# What expires within this time (a day, in seconds) is renewed.
RENEW_BEFORE=86400

usage() {
  cat <<'USAGE'
usage: generate.sh [--out DIR] [--client NAME]... [--name NAME]... [--days N] [--force]

  --out DIR      where the files go (default: out/ beside this script)
  --client NAME  one more client certificate, with CN=NAME (client and client2 are always made); may be repeated
  --name NAME    one more DNS name or IP address for the server's certificate; may be repeated
  --days N       how long server and client certificates are valid, 1 to 397 (default 365); for browsers 13
  --force        make everything anew, the CA included
USAGE
}

fail() {
  printf 'generate.sh: %s\n' "$1" >&2
  exit 1
}

# --- arguments ---------------------------------------------------------------------------------------------------

out="$here/out"
days=365
days_asked=no
force=no
clients=(client client2)
dns_names=(localhost)
ip_addresses=(127.0.0.1 ::1)

add_client() {
  case "$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')" in
    ca | server | *-key) fail "--client $1: this name is taken by another file; choose another" ;;
  esac
  [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ ]] ||
    fail "--client '$1': letters, digits, dots, dashes and underscores are expected, at most 63, starting with a letter or digit"
  local known
  for known in "${clients[@]}"; do
    if [[ $known == "$1" ]]; then return; fi
  done
  clients+=("$1")
}

add_name() {
  if [[ $1 =~ ^[0-9]+(\.[0-9]+){3}$ || $1 == *:* ]]; then
    [[ $1 =~ ^[0-9a-fA-F:.]+$ ]] || fail "--name '$1': an IP address is expected, such as 192.0.2.1 or 2001:db8::1"
    ip_addresses+=("$1")
  elif [[ $1 =~ ^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$ ]]; then
    dns_names+=("$1")
  else
    fail "--name '$1': a DNS name or an IP address is expected, such as proxy.example or 192.0.2.1"
  fi
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --out | --client | --name | --days)
      if [[ $# -lt 2 || -z $2 ]]; then fail "$1 needs a value; generate.sh --help lists the options"; fi
      case $1 in
        --out) out=$2 ;;
        --client) add_client "$2" ;;
        --name) add_name "$2" ;;
        --days) days=$2 days_asked=yes ;;
      esac
      shift 2
      ;;
    --force)
      force=yes
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown argument '$1'; generate.sh --help lists the options" ;;
  esac
done

if ! [[ $days =~ ^[1-9][0-9]{0,2}$ ]] || ((days > MAX_DAYS)); then
  fail "--days $days: a number from 1 to $MAX_DAYS is expected (longer-lived server certificates are widely refused)"
fi

command -v openssl >/dev/null 2>&1 ||
  fail "openssl is not installed or not on the PATH; install it (Debian: apt install openssl, macOS: brew install openssl) and run this again"

mkdir -p -- "$out" || fail "the directory $out cannot be made; choose another with --out"
out=$(cd -- "$out" && pwd)

# --- a place to work, gone when we are -----------------------------------------------------------------------------

work=$(mktemp -d "$out/.new.XXXXXX" 2>/dev/null) || fail "$out cannot be written to; choose another directory with --out"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Our own configuration file for every call, so that the system's one has no say in what comes out.
export OPENSSL_CONF="$work/openssl.cnf"
# And only our CA counts, not those that the system trusts: there are no certificates in this file and directory.
export SSL_CERT_FILE=/dev/null SSL_CERT_DIR="$work"

# The names that are asked for, as openssl's configuration wants them: "DNS:localhost,IP:127.0.0.1,…".
san=''
for name in "${dns_names[@]}"; do san="$san,DNS:$name"; done
for address in "${ip_addresses[@]}"; do san="$san,IP:$address"; done
san=${san#,}

# write_config COMMON_NAME
write_config() {
  cat >"$OPENSSL_CONF" <<CONFIG
[req]
prompt = no
distinguished_name = subject
[subject]
O = masque-lab
CN = $1
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $san
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[names]
subjectAltName = $san
CONFIG
}

# run WHAT COMMAND...: one clear sentence when openssl fails, with what it said.
run() {
  local what=$1
  shift
  if ! "$@" >"$work/log" 2>&1; then
    fail "openssl could not $what; it said: $(grep -v '^-*$' "$work/log" | tail -n 1)"
  fi
}

new_key() {
  run 'make a key' openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 \
    -pkeyopt ec_param_enc:named_curve -out "$1"
}

# --- is what is there still good? ----------------------------------------------------------------------------------

# The subjectAltName entries of a certificate or request, one a line, as openssl prints them.
names_in() {
  grep -A 1 'Subject Alternative Name' | tail -n 1 | tr ',' '\n' | sed 's/^ *//; s/ *$//'
}

# Does the certificate have every name that is asked for? Both lists were printed by openssl, so that the same address is
# written in the same way (it prints ::1 as 0:0:0:0:0:0:0:1, say).
has_all_names() {
  local wanted
  openssl x509 -in "$1" -noout -text | names_in >"$work/names.there"
  while IFS= read -r wanted; do
    grep -qxF -- "$wanted" "$work/names.there" || return 1
  done <"$work/names.wanted"
}

# why_renew NAME CA_FILE PURPOSE: prints why NAME.pem must be made anew; prints nothing when it can stay.
why_renew() {
  local certificate="$out/$1.pem" key="$out/$1-key.pem"
  if [[ $force == yes ]]; then
    echo '--force'
  elif [[ ! -e $certificate ]]; then
    echo 'there was none'
  elif [[ ! -e $key ]]; then
    echo 'its key was missing'
  elif ! openssl x509 -in "$certificate" -noout -pubkey >"$work/certified" 2>/dev/null; then
    echo 'the old file was not a certificate'
  elif ! openssl pkey -in "$key" -passin pass: -pubout >"$work/public" 2>/dev/null; then
    echo 'its key could not be read'
  elif [[ $(<"$work/certified") != "$(<"$work/public")" ]]; then
    echo 'it did not belong to its key'
  elif ! openssl x509 -in "$certificate" -noout -checkend "$RENEW_BEFORE" >/dev/null 2>&1; then
    echo 'the old one has expired or expires within a day'
  elif ! openssl verify -CAfile "$2" -purpose "$3" "$certificate" 2>/dev/null | grep -q ': OK$'; then
    echo 'the old one was not signed by this CA'
  elif [[ $1 == server ]] && ! has_all_names "$certificate"; then
    echo 'the old one lacked a name that is asked for'
  elif [[ $1 == server && $days_asked == yes ]] && openssl x509 -in "$certificate" -noout -checkend "$((days * 86400 + 60))" >/dev/null 2>&1; then
    echo "the old one is valid for more than $days days"
  fi
}

# is_ours NAME: was NAME.pem made here, from the key that is beside it?
is_ours() {
  local issuer
  issuer=$(openssl x509 -in "$out/$1.pem" -noout -issuer -nameopt RFC2253 2>/dev/null) || return 1
  [[ $issuer == *'CN=masque-lab CA'* && $issuer == *'O=masque-lab'* ]] || return 1
  [[ -e $out/$1-key.pem ]] || return 0
  openssl x509 -in "$out/$1.pem" -noout -pubkey >"$work/certified" 2>/dev/null || return 1
  openssl pkey -in "$out/$1-key.pem" -passin pass: -pubout >"$work/public" 2>/dev/null || return 1
  [[ $(<"$work/certified") == "$(<"$work/public")" ]]
}

# keep FILE: gives FILE another name, if it is there, and says so.
keep() {
  local old="$out/$1" new="$out/$1.before" n=1
  [[ -e $old || -L $old ]] || return 0
  while [[ -e $new || -L $new ]]; do
    n=$((n + 1))
    new="$out/$1.before-$n"
  done
  mv -- "$old" "$new"
  printf '%-14s was not made by this script: it is now %s\n' "$1" "${new##*/}"
}

report() {
  local state=$2 end
  end=$(openssl x509 -in "$3" -noout -enddate)
  printf '%-14s %s, valid until %s\n' "$1.pem" "$state" "${end#notAfter=}"
}

# --- make what is needed, in the temporary directory ---------------------------------------------------------------

made=()

# A request that is only there to have the names checked, before anything else is done.
write_config localhost
new_key "$work/names-key.pem"
openssl req -new -config "$OPENSSL_CONF" -reqexts names -key "$work/names-key.pem" -out "$work/names.csr" 2>/dev/null ||
  fail "openssl does not accept one of these names for the server's certificate: ${san//,/, }; correct --name"
openssl req -in "$work/names.csr" -noout -text | names_in >"$work/names.wanted"

# A CA certificate without its key was made somewhere else. Making another CA in its place would cut off whoever
# relies on it, so that is done only when asked for.
if [[ -e $out/ca.pem && ! -e $out/ca-key.pem && $force == no ]]; then
  fail "$out/ca.pem is there but its key ca-key.pem is not, so nothing can be signed; use another directory (--out) or replace the CA (--force)"
fi

ca_dir=$out
reason=$(why_renew ca "$out/ca.pem" any)
if [[ -n $reason ]]; then
  # A few random digits tell one CA from the next when both are called the same otherwise.
  write_config "masque-lab CA $(openssl rand -hex 3)"
  new_key "$work/ca-key.pem"
  run 'make the CA certificate' openssl req -x509 -new -sha256 -config "$OPENSSL_CONF" -extensions ca \
    -key "$work/ca-key.pem" -days "$CA_DAYS" -out "$work/ca.pem"
  made+=(ca)
  ca_dir=$work
  report ca "new ($reason)" "$work/ca.pem"
else
  report ca kept "$out/ca.pem"
fi

# issue NAME SECTION COMMON_NAME PURPOSE
issue() {
  reason=$(why_renew "$1" "$ca_dir/ca.pem" "$4")
  if [[ -z $reason ]]; then
    report "$1" kept "$out/$1.pem"
    return
  fi
  write_config "$3"
  new_key "$work/$1-key.pem"
  run "make the request for $1" openssl req -new -sha256 -config "$OPENSSL_CONF" -key "$work/$1-key.pem" -out "$work/$1.csr"
  run "sign $1" openssl x509 -req -sha256 -in "$work/$1.csr" -CA "$ca_dir/ca.pem" -CAkey "$ca_dir/ca-key.pem" \
    -set_serial "0x$(openssl rand -hex 16)" -days "$days" -extfile "$OPENSSL_CONF" -extensions "$2" -out "$work/$1.pem"
  made+=("$1")
  report "$1" "new ($reason)" "$work/$1.pem"
}

issue server server localhost sslserver
for client in "${clients[@]}"; do issue "$client" client "$client" sslclient; done

# --- and put it into place -----------------------------------------------------------------------------------------

# Should this be cut short, a certificate that does not belong to its key is left over: the next run sees that and renews it.
for name in ${made[@]+"${made[@]}"}; do
  if ! is_ours "$name"; then
    keep "$name-key.pem"
    keep "$name.pem"
  fi
  chmod 644 "$work/$name.pem"
  mv -f -- "$work/$name-key.pem" "$out/$name-key.pem"
  mv -f -- "$work/$name.pem" "$out/$name.pem"
done
for name in ca server "${clients[@]}"; do chmod 600 "$out/$name-key.pem"; done
printf 'in %s\n' "$out"
case $(ls -l -- "$out/server-key.pem") in
  -rw-------*) ;;
  *)
    printf 'generate.sh: warning: others may read the keys in %s: its file system keeps no modes (a Windows drive under WSL, exFAT); use a folder on a Linux file system (--out), or set tls.allow_exposed_key = true in the configuration\n' "$out" >&2
    ;;
esac
