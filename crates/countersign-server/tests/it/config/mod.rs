//! Configuration files: every odd line is rejected with its place and what would be right.

mod store;

use std::path::Path;

use countersign_ledger::note::{Cosigner, Ed25519Signer};
use countersign_server::config::{NodeConfig, WitnessConfig, parse_policy};

const POLICY: &str = r#"
name = "test"

[groups]
engineers = ["per_00000000000000000000000000000001"]
approvers = ["per_00000000000000000000000000000002", "per_00000000000000000000000000000003"]

[access]
read = ["engineers"]

[[rules]]
name = "rotate-stripe"
verb = "rotate"
resource = "webhook-signing/stripe"
environment = "production"
requesters = ["engineers"]
executors = ["engineers"]
approval = "required"
quorum = { approvers = 2 }
pending_seconds = 86400
approved_seconds = 3600
start_seconds = 300
work_seconds = 3600
"#;

const NODE: &str = r#"
listen = "127.0.0.1:0"
data = "data"
origin = "ledger.example/test"
log_key = "env:LOG_KEY"
sealing_key = "file:/etc/countersign/sealing.key"
checkpoint = "keys/checkpoint"

[endpoints.nudgepay-a]
hook_url = "http://127.0.0.1:9/hooks"
probe_url = "https://pay.example/webhooks/stripe"
key = "env:HOOK_KEY"
"#;

/// The complaint about the policy with one line replaced.
fn policy_complaint(line: &str, by: &str) -> String {
    assert!(POLICY.contains(line), "{line}");
    match parse_policy(Path::new("policy.toml"), &POLICY.replace(line, by)) {
        Ok(_) => "no complaint".into(),
        Err(error) => error.to_string(),
    }
}

fn node_complaint(line: &str, by: &str) -> String {
    assert!(NODE.contains(line), "{line}");
    match NodeConfig::parse(Path::new("countersign.toml"), &NODE.replace(line, by)) {
        Ok(_) => "no complaint".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn sound_files_are_read() {
    assert!(parse_policy(Path::new("policy.toml"), POLICY).is_ok());
    let node =
        NodeConfig::parse(Path::new("/etc/countersign/countersign.toml"), NODE).expect("a configuration");
    assert_eq!(node.data, Path::new("/etc/countersign/data"));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let complaint = policy_complaint("approved_seconds = 3600", "aproved_seconds = 3600");
    assert_eq!(complaint, "policy.toml:21: unknown key `aproved_seconds`; did you mean `approved_seconds`?");
    let complaint = node_complaint("origin =", "orgin =");
    assert_eq!(complaint, "countersign.toml:4: unknown key `orgin`; did you mean `origin`?");
}

#[test]
fn an_unknown_group_is_named_with_the_known_ones() {
    let complaint = policy_complaint("quorum = { approvers = 2 }", "quorum = { aprovers = 2 }");
    assert_eq!(
        complaint,
        "policy.toml: rules.rotate-stripe.quorum: unknown group `aprovers`; the groups are approvers, engineers"
    );
}

#[test]
fn a_quorum_of_zero_cannot_be_written() {
    let complaint = policy_complaint("quorum = { approvers = 2 }", "quorum = { approvers = 0 }");
    assert_eq!(complaint, "policy.toml:19: invalid value: integer `0`, expected 1 or more");
    let complaint = policy_complaint("start_seconds = 300", "start_seconds = 0");
    assert_eq!(complaint, "policy.toml:22: invalid value: integer `0`, expected 1 or more");
    let complaint = policy_complaint("quorum = { approvers = 2 }", "quorum = { approvers = -1 }");
    assert!(complaint.starts_with("policy.toml:19: invalid value: integer `-1`"), "{complaint}");
}

#[test]
fn what_makes_no_sense_is_named_with_its_place() {
    let required = "quorum = { approvers = 2 }";
    let names = "[\"per_00000000000000000000000000000001\"]";
    for (line, by, expected) in [
        (names, "[]", "groups.engineers: the group has no members"),
        (
            required,
            "",
            "rules.rotate-stripe.quorum: approval is required, so name a quorum, as in `{ approvers = 2 }`",
        ),
        (
            "\"required\"",
            "\"not-required\"",
            "rules.rotate-stripe.quorum: approval is not required, so a quorum means nothing",
        ),
        ("executors = [\"engineers\"]", "executors = []", "rules.rotate-stripe.executors: names no group"),
        (
            "read = [\"engineers\"]",
            "read = [\"enginers\"]",
            "access.read: unknown group `enginers`; the groups are approvers, engineers",
        ),
        (
            "\"production\"",
            "\"*\"",
            "rules.rotate-stripe.patterns: the rule uses `*`: write `patterns = true` if that is meant",
        ),
    ] {
        assert_eq!(policy_complaint(line, by), format!("policy.toml: {expected}"));
    }
    for (line, by, expected) in [
        (
            "\"production\"",
            "\"Production\"",
            "policy.toml:15: `Production` is not a name: 1 to 64 of a-z, 0-9 and `-`",
        ),
        (
            "\"webhook-signing/stripe\"",
            "\"stripe\"",
            "policy.toml:14: `stripe` is not a resource of the form `type/name`",
        ),
        (
            "\"per_00000000000000000000000000000001\"",
            "\"ana\"",
            "policy.toml:5: `ana` is not an id of the form `per_`",
        ),
        (
            "approval = \"required\"",
            "approval = \"yes\"",
            "policy.toml:18: unknown variant `yes`, expected `not-required` or `required`",
        ),
    ] {
        let complaint = policy_complaint(line, by);
        assert!(complaint.starts_with(expected), "{complaint}");
    }
}

#[test]
fn consent_must_be_written_out() {
    let complaint = policy_complaint("approval = \"required\"\n", "");
    assert!(complaint.contains("missing field `approval`"), "{complaint}");
}

#[test]
fn a_star_must_be_meant() {
    let complaint = policy_complaint("\"webhook-signing/stripe\"", "\"webhook-signing/*\"");
    assert!(complaint.contains("write `patterns = true`"), "{complaint}");
}

const FREEZE: &str = r#"
[[freezes]]
name = "weekend"
verb = "*"
resource = "*"
environment = "production"
patterns = true
cron = "0 18 * * fri"
duration_seconds = 223200
time_zone = "Europe/Berlin"
"#;

/// A freeze says when in one of two forms; what is wrong is told with its line or its place.
#[test]
fn freezes_are_read_strictly() {
    let complaint = |line: &str, by: &str| {
        assert!(FREEZE.contains(line), "{line}");
        let text = format!("{POLICY}{}", FREEZE.replace(line, by));
        parse_policy(Path::new("policy.toml"), &text)
            .map_or_else(|error| error.to_string(), |_| "fine".into())
    };
    let cron = "cron = \"0 18 * * fri\"";
    let recurring = "cron = \"0 18 * * fri\"\nduration_seconds = 223200\ntime_zone = \"Europe/Berlin\"";
    let once = "from = \"2026-12-19T00:00:00+01:00\"\nuntil = \"2027-01-07T00:00:00Z\"";
    for (line, by, expected) in [
        (cron, cron, "fine"),
        (recurring, once, "fine"),
        (
            cron,
            "cron = \"0 18 * * frd\"",
            ":31: the day of the week of a cron expression: `frd` is not a number from 0 to 7, or a name from `sun` to `sat`",
        ),
        ("cron = ", "corn = ", ":31: unknown key `corn`; did you mean `cron`?"),
        (recurring, "from = \"2026-12-19\"", ":31: `2026-12-19` is not a time like"),
        (
            "duration_seconds = 223200",
            "duration_seconds = 0",
            ":32: invalid value: integer `0`, expected 1 or more",
        ),
        ("patterns = true\n", "", ": freezes.weekend.patterns: the freeze uses `*`: write `patterns = true`"),
        (
            cron,
            "cron = \"0 0 30 2 *\"",
            ": freezes.weekend.cron: `0 0 30 2 *` never fires: none of its months has such a day",
        ),
        (
            "223200",
            "2678401",
            ": freezes.weekend.duration_seconds: 2678401 is more than 31 days, which are 2678400",
        ),
        (
            "Europe/Berlin",
            "europe/berlin",
            ": freezes.weekend.time_zone: unknown time zone `europe/berlin`; did you mean `Europe/Berlin`?",
        ),
        (
            recurring,
            "from = \"2026-12-19T00:00:00Z\"\nuntil = \"2026-12-19T01:00:00+01:00\"",
            ": freezes.weekend.until: `2026-12-19T00:00:00.000Z` is not after `2026-12-19T00:00:00.000Z`",
        ),
        (recurring, "", ": freezes.weekend.from: the freeze does not say when"),
        (cron, &format!("{cron}\n{once}"), ": freezes.weekend.from: a freeze comes once"),
        (
            recurring,
            "from = \"2026-12-19T00:00:00Z\"",
            ": freezes.weekend.from: a freeze that comes once has both",
        ),
        (
            "time_zone = \"Europe/Berlin\"\n",
            "",
            ": freezes.weekend.from: a freeze that comes again has all of",
        ),
        (
            "\"production\"",
            "\"*\"",
            ": freezes.weekend.environment: the freeze holds replacing the policy too, and so ending it early",
        ),
    ] {
        let told = complaint(line, by);
        let expected =
            if expected == "fine" { expected.to_owned() } else { format!("policy.toml{expected}") };
        assert!(told.starts_with(&expected), "{told}\ninstead of\n{expected}");
    }
}

#[test]
fn secrets_do_not_travel_in_clear() {
    let complaint = node_complaint("https://pay.example", "http://pay.example");
    assert!(complaint.contains("endpoints.nudgepay-a.probe_url"), "{complaint}");
    assert!(complaint.contains("use https"), "{complaint}");
}

#[test]
fn the_address_of_the_pages_is_an_origin() {
    let node = |line: &str| {
        NodeConfig::parse(
            Path::new("countersign.toml"),
            &NODE.replace("data = ", &format!("{line}\ndata = ")),
        )
    };
    assert_eq!(node("").expect("fine").public_url, None);
    let url = node("public_url = \"https://countersign.example/\"").expect("fine").public_url;
    assert_eq!(url.expect("an address").origin(), "https://countersign.example");
    let complaint = node("public_url = \"http://10.0.0.1\"").expect_err("refused").to_string();
    assert!(
        complaint.starts_with("countersign.toml: public_url: `http://10.0.0.1` has no name"),
        "{complaint}"
    );
}

#[test]
fn a_certificate_is_named_with_its_key() {
    let with = |section: &str| {
        NodeConfig::parse(Path::new("/etc/countersign/countersign.toml"), &format!("{NODE}\n{section}"))
    };
    assert!(with("").expect("fine").tls.is_none());
    let tls =
        with("[server.tls]\ncertificate = \"tls/chain.pem\"\nkey = \"file:/etc/countersign/tls/key.pem\"");
    let tls = tls.expect("fine").tls.expect("a certificate");
    assert_eq!(tls.certificate, Path::new("/etc/countersign/tls/chain.pem"));
    for (odd, told) in [
        ("[server.tls]\ncertificate = \"c\"", "missing field `key`"),
        (
            "[server.tls]\ncertificate = \"c\"\nkey = \"k.pem\"",
            "server.tls.key: a secret is named as `env:NAME`",
        ),
        (
            "[server.tls]\ncertificates = \"c\"\nkey = \"env:K\"",
            "unknown key `certificates`; did you mean `certificate`?",
        ),
        ("[server]\ntsl = 1", "unknown key `tsl`; did you mean `tls`?"),
    ] {
        let complaint = with(odd).expect_err(told).to_string();
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn a_witness_knows_its_logs_by_their_keys() {
    let log = Ed25519Signer::from_seed("ledger.example/log", [1; 32]).expect("a signer").vkey();
    let cosigner =
        Cosigner::from_seed("witness.example/other", [2; 32]).expect("a cosigner").verifier().to_string();
    let parse = |logs: &str| {
        let head =
            "listen = \"127.0.0.1:0\"\ndata = \"data\"\nname = \"witness.example/w\"\nkey = \"env:KEY\"\n";
        WitnessConfig::parse(Path::new("/etc/witness.toml"), &format!("{head}{logs}"))
    };
    let config =
        parse(&format!("[[logs]]\nkeys = [\"{log}\"]\n[[logs]]\norigin = \"o\"\nkeys = [\"{log}\"]"))
            .expect("fine");
    assert_eq!(config.data, Path::new("/etc/data"));
    let origins: Vec<&str> = config.logs.iter().map(|log| log.origin.as_str()).collect();
    assert_eq!(origins, ["ledger.example/log", "o"]);
    for (odd, told) in [
        ("[[logs]]\nkeys = []".to_owned(), "a log needs at least one of `keys`"),
        (format!("[[logs]]\nkeys = [\"{cosigner}\"]"), "is a witness' key, not a log's"),
        ("[[logs]]\nkeys = [\"x\"]".to_owned(), "`x`: not a verifier key"),
        (format!("[[logs]]\nkeys = [\"{log}\"]\n[[logs]]\nkeys = [\"{log}\"]"), "is listed twice"),
        (format!("[[logs]]\norigin = \"\"\nkeys = [\"{log}\"]"), "is no origin"),
        ("[[log]]\nkeys = []".to_owned(), "unknown key `log`; did you mean `logs`?"),
    ] {
        let complaint = parse(&odd).expect_err("refused").to_string();
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn witnesses_and_how_many_are_enough_are_read_strictly() {
    let vkey = |name: &str, seed: u8| {
        Cosigner::from_seed(name, [seed; 32]).expect("a cosigner").verifier().to_string()
    };
    let witness = |name: &str, vkey: &str, url: &str| {
        format!("[[witnesses]]\nname = \"{name}\"\nvkey = \"{vkey}\"\nurl = \"{url}\"\n")
    };
    let https = "https://w.example/x";
    let three =
        [("a", 1), ("b", 2), ("c", 3)].map(|(name, seed)| witness(name, &vkey(name, seed), https)).concat();
    let with = |top: &str, witnesses: &str| {
        NodeConfig::parse(Path::new("countersign.toml"), &format!("{top}\n{NODE}\n{witnesses}"))
    };
    for fine in ["any", "all", "1 of 3", "2 of 3", "3 of 3", "2 of a, c", "1 of b", "3 of a,b,c"] {
        let config = with(&format!("witness_policy = \"{fine}\""), &three).expect(fine);
        assert_eq!((config.witnesses.each.len(), config.witnesses.words.as_str()), (3, fine));
    }
    let config = with("", &three).expect("fine");
    assert_eq!((config.witnesses.words.as_str(), config.witnesses.lost_after.as_secs()), ("all", 300));
    assert_eq!(with("", "").expect("fine").witnesses.each.len(), 0);
    for odd in
        ["", "0 of 3", "4 of 3", "2 of 2", "2 of a", "2 of a, a", "1 of d", "most", "-1 of 3", "2 of a, b,"]
    {
        let complaint = with(&format!("witness_policy = \"{odd}\""), &three).expect_err(odd).to_string();
        assert!(complaint.contains("witness_policy: `") && complaint.contains("`any`, `all`"), "{complaint}");
    }
    let log = Ed25519Signer::from_seed("ledger.example/log", [9; 32]).expect("a signer").vkey();
    for (top, witnesses, told) in [
        ("witness_policy = \"any\"", String::new(), "there are no `[[witnesses]]`"),
        ("witness_lost_after_seconds = 0", three.clone(), "it must be 1 or more"),
        ("", witness("a", &log, https), "witnesses.a.vkey: this is a log's key"),
        ("", witness("a", "x", https), "witnesses.a.vkey: not a verifier key"),
        (
            "",
            witness("a", &vkey("a", 1), "http://w.example"),
            "witnesses.a.url: `http://w.example` would send",
        ),
        ("", three.clone() + &witness("a", &vkey("d", 4), https), "`a` is listed twice"),
        ("", three.clone() + &witness("d", &vkey("d", 1), https), "`a` and `d` have one key"),
        ("", three.clone() + &witness("d", &vkey("a", 4), https), "two keys have the name `a`"),
        ("", witness("a", &vkey("ledger.example/test", 1), https), "its key has the name of this log"),
        ("", witness("A b", &vkey("a", 1), https), "is not a name"),
    ] {
        let complaint = with(top, &witnesses).expect_err(told).to_string();
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn issuers_are_read_strictly() {
    let complaint =
        |text: &str| match NodeConfig::parse(Path::new("countersign.toml"), &format!("{NODE}\n{text}")) {
            Ok(config) => format!("{} known", config.issuers.len()),
            Err(error) => error.to_string(),
        };
    let github = "[issuers.github]\nissuer = \"https://token.actions.githubusercontent.com\"\naudience = \"https://countersign.example\"\n";
    assert_eq!(complaint(github), "1 known");
    let file = "[issuers.cluster]\nissuer = \"https://kubernetes.default.svc\"\naudience = \"a\"\njwks_file = \"keys.json\"\n";
    assert_eq!(complaint(&format!("{github}{file}")), "2 known");
    for (text, told) in [
        (
            github.replace("https://token", "http://token"),
            "issuers.github.issuer: `http://token.actions.githubusercontent.com` would send secrets in clear",
        ),
        (
            github.replace("content.com", "content.com?a=b"),
            "issuers.github.issuer: an issuer has no query and no fragment",
        ),
        (
            github.replace("https://countersign.example", " "),
            "issuers.github.audience: name what its tokens are for",
        ),
        (
            format!("{github}{}", github.replace("github]", "other]")),
            "issuers.other.issuer: `github` is the same issuer",
        ),
        (github.replace("audience", "audiense"), "unknown key `audiense`; did you mean `audience`?"),
        (github.replace("audience", "jwks_file"), "missing field `audience`"),
    ] {
        let complaint = complaint(&text);
        assert!(complaint.contains(told), "{complaint}");
    }
}

#[test]
fn providers_are_read_strictly() {
    const PROVIDER: &str = r#"
[sign_in.providers.corp]
title = "Acme"
issuer = "https://acme.example/realms/main"
client_id = "countersign"
client_secret = "env:OIDC_SECRET"
scopes = ["groups"]
max_age_seconds = 3600
"#;
    let whole = format!("{NODE}{PROVIDER}");
    let read = |text: &str| NodeConfig::parse(Path::new("countersign.toml"), text);
    let config = read(&whole).expect("a configuration");
    let provider = config.providers.values().next().expect("a provider");
    assert_eq!(provider.scopes, ["openid", "groups"], "`openid` is always asked for");
    assert!(provider.client_secret.is_some());
    for (line, by, complaint) in [
        (
            "client_secret = \"env:OIDC_SECRET\"",
            "client_secret = \"hunter2\"",
            "sign_in.providers.corp.client_secret: a secret is named as `env:NAME`",
        ),
        ("https://acme.example/realms/main", "http://acme.example", "would send secrets in clear"),
        ("https://acme.example/realms/main", "https://acme.example?x", "an issuer has no query"),
        ("title = \"Acme\"", "title = \" \"", "sign_in.providers.corp.title"),
        ("client_id = \"countersign\"", "client_id = \"\"", "sign_in.providers.corp.client_id"),
        ("[\"groups\"]", "[\"openid groups\"]", "sign_in.providers.corp.scopes"),
        ("max_age_seconds = 3600", "max_age_seconds = 0", "expected 1 or more"),
        ("scopes =", "scope =", "unknown key `scope`; did you mean `scopes`?"),
    ] {
        assert!(whole.contains(line), "{line}");
        let told = read(&whole.replace(line, by)).expect_err(by).to_string();
        assert!(told.contains(complaint), "{by}: {told}");
        assert!(!told.contains("hunter2"), "a secret that was pasted is not repeated");
    }
    let twice = format!("{whole}{}", PROVIDER.replace("providers.corp", "providers.other"));
    assert!(read(&twice).expect_err("twice").to_string().contains("`corp` is the same issuer"));
}
