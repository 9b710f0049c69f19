//! The statement people sign: made of an entry and its details, the same for whoever makes it, and read strictly.

use countersign_ledger::details::commitment;
use countersign_ledger::json;
use countersign_ledger::sshsig::SshSignature;
use countersign_ledger::statement::{self, NAMESPACE, Statement, StatementError};

use crate::keygen::Keygen;

const SALT: [u8; 32] = [7; 32];

fn details(parameters: &str) -> Vec<u8> {
    format!(
        "{{\"parameters\":{parameters},\"parameters_salt\":\"{}\",\"reason\":\"because\"}}",
        "07".repeat(32)
    )
    .into_bytes()
}

/// The leaf of a request for these parameters.
fn leaf(kind: &str, parameters: &str) -> Vec<u8> {
    let sha256 = commitment(&SALT, parameters.as_bytes());
    let [policy, requirement] = ["1".repeat(64), "2".repeat(64)];
    format!(
        "{{\"actor\":\"per_1\",\"correlation\":\"cor_1\",\"data\":{{\"action\":{{\"environment\":\"production\",\"resource\":\"payout/limit\",\"verb\":\"override\"}},\
         \"parameters_sha256\":\"{sha256}\",\"pending_until\":\"2026-11-25T13:00:00.000Z\",\"policy_sha256\":\"{policy}\",\"requirement_sha256\":\"{requirement}\",\
         \"rules\":[\"payout\"]}},\"details_sha256\":\"{policy}\",\"environment\":\"production\",\"index\":17,\"kind\":\"{kind}\",\"subject\":\"apr_1\",\
         \"subject_seq\":1,\"time\":\"2026-11-25T12:00:00.000Z\",\"v\":1}}"
    )
    .into_bytes()
}

const PARAMETERS: &str = "{\"amount_cents\":10000}";

fn made() -> Vec<u8> {
    statement::of_request(&leaf("approval.requested", PARAMETERS), &details(PARAMETERS)).unwrap()
}

#[test]
fn a_statement_is_made_of_the_entry_and_its_details_and_reads_back() {
    let bytes = made();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(
        text.starts_with("{\"_type\":\"countersign/approval-statement/v1\",\"action\":{\"environment\":"),
        "{text}"
    );
    assert!(text.ends_with("\"rules\":[\"payout\"]}") && !text.contains("because"), "{text}");
    json::validate_canonical(&bytes).unwrap();
    let statement = Statement::parse(&bytes).unwrap();
    assert_eq!(statement.action, ["override", "payout/limit", "production"]);
    assert_eq!((statement.approval.as_str(), statement.requester.as_str()), ("apr_1", "per_1"));
    assert_eq!(statement.parameters.to_canonical(), PARAMETERS.as_bytes());
    assert_eq!(statement.pending_until, "2026-11-25T13:00:00.000Z");
    assert_eq!(statement.rules, ["payout"]);
}

#[test]
fn there_is_no_statement_of_anything_else() {
    let of = |kind: &str, beside: &[u8]| statement::of_request(&leaf(kind, PARAMETERS), beside);
    let good = details(PARAMETERS);
    assert_eq!(of("approval.granted", &good), Err(StatementError::NotARequest));
    assert_eq!(statement::of_request(b"{}", &good), Err(StatementError::NotARequest));
    assert_eq!(of("approval.requested", b"{}"), Err(StatementError::Details));
    assert_eq!(of("approval.requested", b""), Err(StatementError::Details));
    let other = details("{\"amount_cents\":10001}");
    assert_eq!(of("approval.requested", &other), Err(StatementError::Parameters));
}

/// Flaw "Parser differential": one meaning has one text; a second key, another order, white space or a member more is no statement.
#[test]
fn parser_differential() {
    let good = String::from_utf8(made()).unwrap();
    let doubled = good.replace("{\"amount_cents\":10000}", "{\"amount_cents\":1,\"amount_cents\":10000}");
    let spaced = good.replace("\":{", "\": {");
    let reordered = good.replace("\"rules\":[\"payout\"]}", "\"requester\":\"per_1\"}");
    let float = good.replace("10000", "10000.0");
    let escaped = good.replace("payout/limit", "payout\\/limit");
    for bad in
        [&doubled, &spaced, &reordered, &float, &escaped, &format!("{good}\n"), &format!("\u{feff}{good}")]
    {
        assert_eq!(Statement::parse(bad.as_bytes()), Err(StatementError::NotCanonical), "{bad}");
    }
    let parse = |text: String| Statement::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(good.replace("10000", "10001")), StatementError::Parameters);
    assert_eq!(parse(good.replace("statement/v1", "statement/v2")), StatementError::Member("_type"));
    assert_eq!(
        parse(good.replace("\"rules\":[\"payout\"]", "\"rules\":[1]")),
        StatementError::Member("rules")
    );
    assert_eq!(parse(good.replace("\"rules\"", "\"rulez\"")), StatementError::Member("rules"));
    assert_eq!(parse(good.replace("]}", "],\"small_print\":\"\"}")), StatementError::Member("_"));
    assert_eq!(
        parse(good.replace("\"verb\":\"override\"", "\"verb\":\"override\",\"zone\":1")),
        StatementError::Member("action")
    );
}

/// The signature of a statement verifies from its SHA-512 alone, which is all that is left after a redaction.
#[test]
fn a_signed_statement_verifies_from_its_hash() {
    let keygen = Keygen::new();
    let key = keygen.make("key", &["-t", "ed25519"]);
    let bytes = made();
    let armor = keygen.sign("key", (NAMESPACE, "sha512"), &bytes);
    assert!(keygen.accepts((key.trim_end(), &armor), NAMESPACE, &bytes));
    let hash = countersign_ledger::sshsig::MessageHash::Sha512(statement::sha512(&bytes));
    assert_eq!(SshSignature::from_armor(&armor).unwrap().verify_hash(NAMESPACE, &hash), Ok(()));
}
