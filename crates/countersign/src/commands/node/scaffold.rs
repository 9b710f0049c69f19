//! What `countersign new` writes: a configuration and a policy that work as they are and say how to change them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use countersign_server::genesis::NewPerson;

/// 256 random bits.
pub(crate) fn draw_key() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the machine gives no randomness")?;
    Ok(bytes)
}

/// A `UUIDv7` (RFC 9562, 5.7): milliseconds since 1970, a counter that keeps the order within one (6.2, method 1), random bits.
pub(super) fn uuid(millis: u64, counter: u16, random: u64) -> u128 {
    const VERSION: u128 = 0x7 << 76;
    const VARIANT: u128 = 0b10 << 62;
    let counter = u128::from(counter & 0xfff) << 64;
    u128::from(millis) << 80 | VERSION | counter | VARIANT | u128::from(random >> 2)
}

pub(super) fn configuration(keys: &Path, (origin, listen): (&str, SocketAddr)) -> String {
    let keys = keys.display();
    format!(
        "# The node. Relative paths are relative to this file; secrets stand elsewhere (`env:NAME` or `file:/path`).\n\
         listen = \"{listen}\"\n\
         # Where people reach it with a browser. Without it there are pages only for whoever sits at this machine, at `localhost`.\n\
         # public_url = \"https://countersign.example\"\n\
         data = \"data\"\n\
         origin = {}\n\
         log_key = \"file:{keys}/log.key\"\n\
         # The key that is to follow, once `countersign log-key rotate` has put it in force.\n\
         # next_log_key = \"file:{keys}/next-log.key\"\n\
         # Signs permit documents, which executors check offline; its public half is an entry of the log.\n\
         permit_key = \"file:{keys}/permit.key\"\n\
         sealing_key = \"file:{keys}/sealing.key\"\n\
         # The last signed checkpoint. Keep it where backups of the data are not: it is what finds a log that went back.\n\
         checkpoint = \"checkpoint\"\n\n\
         # Endpoints that rotations call, by the names the policy uses.\n\
         # [endpoints.payments]\n\
         # hook_url = \"https://payments.example/hooks/countersign\"\n\
         # probe_url = \"https://payments.example/webhooks/stripe\"\n\
         # key = \"file:{keys}/payments.hook\"   # `whsec_` and the base64 of 24 to 64 bytes\n\n\
         # Witnesses that cosign checkpoints, so that nobody can be shown another history unnoticed; see `countersign witness new`.\n\
         # How many are enough stands above the tables: witness_policy = \"2 of 3\" (or \"any\", \"all\").\n\
         # [[witnesses]]\n\
         # name = \"harbour\"\n\
         # vkey = \"witness.example/harbour+…\"\n\
         # url = \"https://witness.example\"\n\n\
         # The certificate to show, if no proxy in front speaks TLS; both files are read again when they change.\n\
         # [server.tls]\n\
         # certificate = \"tls/fullchain.pem\"   # the node's own certificate first\n\
         # key = \"file:{keys}/tls.key\"         # readable by its owner only\n",
        toml::Value::from(origin)
    )
}

pub(super) fn policy(people: &[NewPerson]) -> String {
    let mut text = String::from(POLICY_HEAD);
    text.push_str("operators = [\n");
    for NewPerson { id, name } in people {
        // A comment ends with its line, whatever the name holds.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    \"{id}\", # {name}");
    }
    text.push_str("]\n");
    let quorum = if people.len() > 2 { 2 } else { 1 };
    text + &POLICY_RULES.replace("$QUORUM", &quorum.to_string())
}

const POLICY_HEAD: &str = "# What is governed. In force is what the ledger says: a change takes effect by `countersign policy activate`.
# Check it with `countersign policy check policy.toml`.
name = \"main\"

[groups]
";

const POLICY_RULES: &str = r#"
[access]
read = ["operators"]

# How people sign in on the pages. Passkeys always do; whoever has none may use a password with an authenticator app, where that is taken.
# [sign_in]
# password = true
# idle_seconds = 1800              # a session that is not used ends after this
# lifetime_seconds = 43200         # and one that is, after this

# Replacing this policy takes other people, too.
[[rules]]
name = "policy"
verb = "activate"
resource = "policy/main"
environment = "control"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM } # people other than the requester
pending_seconds = 86400          # how long a request waits for its quorum
approved_seconds = 3600          # how long a complete approval waits to be used
start_seconds = 600              # how long a reserved permit waits to be started
work_seconds = 3600              # how long the work may take

# Deleting the details of entries (reasons, names, parameters in clear) for good; the entries stay.
[[rules]]
name = "redactions"
verb = "redact"
resource = "ledger/details"
environment = "control"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

# Replacing the key that signs the log.
[[rules]]
name = "log-key"
verb = "rotate"
resource = "log-key/main"
environment = "control"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

# Inviting people. What they may do then, the groups say.
[[rules]]
name = "invitations"
verb = "invite"
resource = "person/*"
patterns = true
environment = "control"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

# Deactivating people, for good. Where haste matters more than consent, `approval = "not-required"` without a quorum.
[[rules]]
name = "deactivations"
verb = "deactivate"
resource = "person/*"
patterns = true
environment = "control"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

# An example: overriding a payout limit.
[[rules]]
name = "payouts"
verb = "override"
resource = "payout/limit"
environment = "production"
requesters = ["operators"]
executors = ["operators"]
approval = "required"
quorum = { operators = $QUORUM }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

# Tokens for automation that does so: whoever holds one asks and executes in its owner's name, and never agrees.
[[rules]]
name = "payout-tokens"
verb = "issue"
resource = "service-token/payouts"
environment = "production"
requesters = ["operators"]
executors = ["operators"]
approval = "not-required"
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 600
work_seconds = 3600

[rules.tokens]
scopes = ["override:payout/limit"]
max_lifetime_seconds = 3600
"#;

pub(super) fn next_steps(folder: &Path, vkey: &str) -> String {
    let folder = folder.display();
    format!(
        "`{folder}` is ready. The log's public key, for auditors to pin:\n\n  {vkey}\n\nNext:\n\n  \
         $EDITOR {folder}/policy.toml\n  \
         countersign init --config {folder}/countersign.toml --claims {folder}/claims\n  \
         countersign serve --config {folder}/countersign.toml\n"
    )
}

#[cfg(test)]
mod tests {
    use countersign_core::id::PersonId;
    use countersign_server::config::{NodeConfig, parse_policy};

    use super::*;

    #[test]
    fn what_is_written_is_understood_as_it_is() {
        let person = |id: u128, name: &str| NewPerson { id: PersonId(id), name: name.to_owned() };
        let people = [person(1, "Ana"), person(2, "Ben\n[access]"), person(3, "Chloe")];
        for count in 2..=people.len() {
            parse_policy(Path::new("policy.toml"), &policy(&people[..count])).unwrap();
        }
        let commented = policy(&people).replace("# [sign_in]", "[sign_in]").replace("# password", "password");
        assert!(parse_policy(Path::new("policy.toml"), &commented).unwrap().sign_in.password);
        let text =
            configuration(Path::new("/keys"), ("a.example/\"log\"", SocketAddr::from(([127, 0, 0, 1], 0))));
        let config = NodeConfig::parse(Path::new("/node/countersign.toml"), &text).unwrap();
        assert_eq!(config.origin, "a.example/\"log\"");
        assert!(config.public_url.is_none() && config.tls.is_none());
        // What is commented out is understood, too, once it is not.
        let uncommented = ["public_url", "[server.tls]", "certificate =", "key = \"file:/keys/tls.key\""];
        let is_meant = |line: &str| {
            uncommented.iter().any(|it| line.strip_prefix("# ").is_some_and(|line| line.starts_with(it)))
        };
        let lines: Vec<&str> = text
            .lines()
            .map(|line| if is_meant(line) { line.trim_start_matches("# ") } else { line })
            .collect();
        assert_eq!(text.lines().filter(|line| is_meant(line)).count(), uncommented.len(), "{text}");
        let config = NodeConfig::parse(Path::new("/node/countersign.toml"), &lines.join("\n")).unwrap();
        assert_eq!(config.public_url.unwrap().origin(), "https://countersign.example");
        assert_eq!(config.tls.unwrap().certificate, Path::new("/node/tls/fullchain.pem"));
    }

    #[test]
    fn ids_have_version_and_variant_of_their_kind_and_keep_their_order() {
        for random in [0, u64::MAX] {
            let text = format!("{:032x}", uuid(0x0123_4567_89ab, 0xfff, random));
            assert!(text.starts_with("0123456789ab7fff") && b"89ab".contains(&text.as_bytes()[16]), "{text}");
        }
        assert!(uuid(1, 0, u64::MAX) < uuid(1, 1, 0));
        assert!(uuid(1, 0xfff, u64::MAX) < uuid(2, 0, 0));
    }
}
