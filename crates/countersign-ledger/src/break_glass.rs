//! What a person signs when they break the glass: one canonical JSON text that is good for one log, one action, and soon after its time.
//!
//! ```text
//! {"_type":"countersign/break-glass-statement/v1","action":{"environment":…,"resource":…,"verb":…},"log":"…","parameters":{…},
//!  "parameters_salt":"…","parameters_sha256":"…","person":"per_…","reason":"…","time":"…"}
//! ```
//!
//! The person draws the salt, so no two statements are alike. Whoever has the entry `break_glass.opened` and its details can make the text
//! again with [`of_opening`]; once they are redacted, its hash in the entry still verifies the signature.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::details::commitment;
use crate::entry::EntryView;
use crate::hash::Hash;
use crate::json::{self, Object, Value};
use crate::statement::StatementError;

/// What these signatures are for: the namespace given to `ssh-keygen -n`.
pub const NAMESPACE: &str = "break-glass@countersign";

/// The first member of every statement. Another form gets another number.
const TYPE: &str = "countersign/break-glass-statement/v1";

/// The kind of entry that it leads to.
const KIND: &str = "break_glass.opened";

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What is to be done: verb, resource, environment.
    pub action: [String; 3],
    /// The name of the log: a statement for one is nothing to another.
    pub log: String,
    /// With which arguments: an object.
    pub parameters: Value,
    /// 32 random bytes that the person drew.
    pub parameters_salt: Hash,
    /// Who: `per_…`.
    pub person: String,
    /// Why.
    pub reason: String,
    /// When, as the person's clock says.
    pub time: String,
}

impl Statement {
    /// The salted digest of the parameters, as the log will have it.
    #[must_use]
    pub fn parameters_sha256(&self) -> Hash {
        commitment(&self.parameters_salt.0, &self.parameters.to_canonical())
    }

    /// The bytes to sign.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let text = |value: &str| Value::String(value.to_string());
        let [verb, resource, environment] = &self.action;
        let action = [("verb", text(verb)), ("resource", text(resource)), ("environment", text(environment))];
        object(&[
            ("_type", text(TYPE)),
            ("action", object(&action)),
            ("log", text(&self.log)),
            ("parameters", self.parameters.clone()),
            ("parameters_salt", text(&self.parameters_salt.to_string())),
            ("parameters_sha256", text(&self.parameters_sha256().to_string())),
            ("person", text(&self.person)),
            ("reason", text(&self.reason)),
            ("time", text(&self.time)),
        ])
        .to_canonical()
    }
}

/// The bytes that were signed, from the leaf that says so, the details beside it, and the name of its log.
///
/// # Errors
/// The leaf is of another kind, or the details are not its own.
pub fn of_opening(leaf: &[u8], details: &[u8], log: &str) -> Result<Vec<u8>, StatementError> {
    let entry = EntryView::parse(leaf).map_err(|_| StatementError::NotARequest)?;
    let data = parsed(entry.data.as_bytes()).filter(|_| entry.kind == KIND);
    let data = data.ok_or(StatementError::NotARequest)?;
    let action = data.get("action").and_then(Value::as_object);
    let word = |name: &'static str| {
        let word = action.and_then(|action| action.get(name)).and_then(Value::as_str);
        word.map(ToString::to_string).ok_or(StatementError::Member("action"))
    };
    let details = parsed(details).ok_or(StatementError::Details)?;
    let told = |object: &Object, name: &'static str| {
        let told = object.get(name).and_then(Value::as_str).map(ToString::to_string);
        told.ok_or(StatementError::Member(name))
    };
    let salt = told(&details, "parameters_salt")?;
    let statement = Statement {
        action: [word("verb")?, word("resource")?, word("environment")?],
        log: log.to_string(),
        parameters: details.get("parameters").cloned().ok_or(StatementError::Details)?,
        parameters_salt: salt.parse().map_err(|_| StatementError::Member("parameters_salt"))?,
        person: entry.actor.to_string(),
        reason: told(&details, "reason")?,
        time: told(&data, "signed_at")?,
    };
    let named = told(&data, "parameters_sha256")?;
    if named == statement.parameters_sha256().to_string() {
        Ok(statement.to_bytes())
    } else {
        Err(StatementError::Parameters)
    }
}

fn parsed(bytes: &[u8]) -> Option<Object> {
    match json::parse(bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// An object of members whose names differ, so there is nothing that could be wrong with it.
fn object(members: &[(&str, Value)]) -> Value {
    let members = members.iter().map(|(name, value)| ((*name).to_string(), value.clone()));
    Object::new(members.collect()).map_or(Value::Null, Value::Object)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::entry::{Draft, Place};

    fn statement() -> Statement {
        Statement {
            action: ["failover", "region/eu", "production"].map(String::from),
            log: "ledger.test".into(),
            parameters: json::parse(br#"{"to":"eu-west"}"#).unwrap(),
            parameters_salt: Hash([7; 32]),
            person: "per_00000000000000000000000000000001".into(),
            reason: "the primary is gone".into(),
            time: "2026-11-25T03:00:00.000Z".into(),
        }
    }

    #[test]
    fn the_text_is_canonical_and_says_everything() {
        let text = String::from_utf8(statement().to_bytes()).unwrap();
        json::validate_canonical(text.as_bytes()).unwrap();
        let digest = statement().parameters_sha256();
        assert_eq!(
            text,
            format!(
                "{{\"_type\":\"countersign/break-glass-statement/v1\",\"action\":{{\"environment\":\"production\",\
                 \"resource\":\"region/eu\",\"verb\":\"failover\"}},\"log\":\"ledger.test\",\"parameters\":{{\"to\":\"eu-west\"}},\
                 \"parameters_salt\":\"{}\",\"parameters_sha256\":\"{digest}\",\
                 \"person\":\"per_00000000000000000000000000000001\",\"reason\":\"the primary is gone\",\
                 \"time\":\"2026-11-25T03:00:00.000Z\"}}",
                Hash([7; 32]),
            )
        );
    }

    #[test]
    fn the_entry_and_its_details_give_the_same_text_and_others_do_not() {
        let statement = statement();
        let leaf = |kind: &str, digest: Hash| {
            let data = format!(
                "{{\"action\":{{\"environment\":\"production\",\"resource\":\"region/eu\",\"verb\":\"failover\"}},\
                 \"parameters_sha256\":\"{digest}\",\"signed_at\":\"{}\"}}",
                statement.time
            );
            let draft = Draft {
                actor: &statement.person,
                correlation: "cor_00000000000000000000000000000001",
                data: data.as_bytes(),
                details_sha256: None,
                environment: Some("production"),
                kind,
                subject: "bgl_00000000000000000000000000000001",
            };
            draft.leaf(Place { index: 1, subject_seq: 1, time: "2026-11-25T03:00:00.100Z" }).unwrap()
        };
        let details = format!(
            "{{\"parameters\":{{\"to\":\"eu-west\"}},\"parameters_salt\":\"{}\",\"reason\":\"the primary is gone\"}}",
            statement.parameters_salt
        );
        let opened = leaf(KIND, statement.parameters_sha256());
        assert_eq!(of_opening(&opened, details.as_bytes(), "ledger.test"), Ok(statement.to_bytes()));
        let elsewhere = of_opening(&opened, details.as_bytes(), "another.test").unwrap();
        assert_ne!(elsewhere, statement.to_bytes());
        let other = details.replace("eu-west", "eu-east");
        assert_eq!(of_opening(&opened, other.as_bytes(), "ledger.test"), Err(StatementError::Parameters));
        assert_eq!(of_opening(&opened, b"{}", "ledger.test"), Err(StatementError::Member("parameters_salt")));
        let requested = leaf("approval.requested", statement.parameters_sha256());
        assert_eq!(
            of_opening(&requested, details.as_bytes(), "ledger.test"),
            Err(StatementError::NotARequest)
        );
    }
}
