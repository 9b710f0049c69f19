//! Workloads as a policy knows them: whose token of an issuer (a CI system, a cluster) is exchanged for which service token.
//!
//! A workload is recognised by claims, each compared exactly: text with text, number with number, tables member by member. There are no
//! patterns and no prefixes, and at least one claim must be an id that its issuer gives to nothing else later: names move on.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Policy;
use super::token::TokenTerms;
use crate::action::Resource;
use crate::id::PersonId;
use crate::text::Name;
use crate::token::{self, Scope};

/// Most workloads of a policy: for every token those of its issuer are gone through.
pub(super) const MOST_WORKLOADS: usize = 1_024;

/// Most claims by which one is recognised, and how deep they may lie.
const MOST_CLAIMS: usize = 32;
const DEEPEST: usize = 8;

/// Claims that say whose token it is, for whom and for how long. They are checked of every token, and nothing is recognised by them.
const CHECKED: [&str; 6] = ["aud", "exp", "iat", "iss", "jti", "nbf"];

/// What a token says, or what it must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// More of them, by name.
    Each(Claims),
}

/// Claims by name.
pub type Claims = BTreeMap<String, Claim>;

impl Claim {
    /// Whether another says the same, and of tables at least the same.
    #[must_use]
    pub fn is_met_by(&self, said: &Self) -> bool {
        match (self, said) {
            (Self::Each(wanted), Self::Each(said)) => are_met(wanted, said),
            (wanted, said) => wanted == said,
        }
    }
}

/// Whether everything that is wanted is said.
fn are_met(wanted: &Claims, said: &Claims) -> bool {
    wanted.iter().all(|(name, wanted)| said.get(name).is_some_and(|said| wanted.is_met_by(said)))
}

/// Whose token is exchanged for which service token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What it is called; whoever exchanges a token names it where several are recognised.
    pub name: Name,
    /// Who says what the token says, exactly as it stands in `iss`: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// What the token must say.
    pub claims: Claims,
    /// What the service token is called: `service-token/deployer`.
    pub token: Resource,
    /// Where it may do something.
    pub environment: Name,
    /// What it may do there, at most.
    pub scopes: BTreeSet<Scope>,
    /// Must be true for scopes that use `*`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub patterns: bool,
    /// How long it lives at most, seconds.
    #[serde(default = "TokenTerms::default_lifetime")]
    pub max_lifetime_seconds: NonZeroU32,
    /// Who answers for what is done with it.
    pub owner: PersonId,
}

impl Workload {
    /// Whether a token of this issuer that says this is meant.
    #[must_use]
    pub fn recognises(&self, issuer: &str, said: &Claims) -> bool {
        self.issuer == issuer && are_met(&self.claims, said)
    }

    /// Whether a token may have this scope.
    #[must_use]
    pub fn offers(&self, scope: &Scope) -> bool {
        (self.patterns || !scope.is_open()) && self.scopes.iter().any(|it| it.covers(scope))
    }

    /// Everything wrong with it, each with the field it stands in.
    pub(super) fn flaws(&self) -> Vec<(&'static str, String)> {
        let terms = TokenTerms {
            scopes: self.scopes.clone(),
            patterns: self.patterns,
            max_lifetime_seconds: self.max_lifetime_seconds,
        };
        let mut flaws = terms.flaws();
        if self.scopes.len() > token::MOST_SCOPES {
            flaws.push(("scopes", format!("names more than {} scopes", token::MOST_SCOPES)));
        }
        if !token::is_named(&self.token) {
            flaws.push(("token", "is called `service-token/NAME`".to_string()));
        }
        if !is_issuer(&self.issuer) {
            let what =
                "is the link that stands in `iss`, as in `https://token.actions.githubusercontent.com`";
            flaws.push(("issuer", what.to_string()));
        }
        flaws.extend(claim_flaws(&self.claims).into_iter().map(|what| ("claims", what)));
        flaws
    }
}

/// A link without query and fragment (`OpenID` Connect Discovery 1.0, section 3). What it leads to is for the node to find out.
fn is_issuer(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '*');
    rest.is_some_and(|rest| !rest.is_empty() && rest.len() <= 512 && !rest.contains(odd))
}

fn claim_flaws(claims: &Claims) -> Vec<String> {
    let (mut flaws, mut leaves) = (Vec::new(), Vec::new());
    for name in CHECKED.iter().filter(|name| claims.contains_key(**name)) {
        flaws.push(format!("`{name}` is checked of every token, and nothing is recognised by it"));
    }
    if !collect(claims, (&[], &mut leaves)) {
        flaws.push(format!("claims lie at most {DEEPEST} deep, and a table of them is not empty"));
    }
    if leaves.len() > MOST_CLAIMS {
        flaws.push(format!("names {} claims; at most {MOST_CLAIMS} are possible", leaves.len()));
    }
    if !leaves.iter().any(|(path, claim)| is_lasting(path, claim)) {
        let what = "names no id that stays, as `repository_id`, `project_id` or `uid` do: names are given to others later";
        flaws.push(what.to_string());
    }
    for (path, claim) in &leaves {
        if matches!(claim, Claim::Text(text) if text.contains('*')) {
            let what = format!("`{}` uses `*`, and claims are compared as they are", path.join("."));
            flaws.push(what);
        }
    }
    flaws
}

type Leaf<'a> = (Vec<&'a str>, &'a Claim);

/// Collects what is compared; false if some of it lies too deep, or there is nothing where something should be.
fn collect<'a>(claims: &'a Claims, (path, leaves): (&[&'a str], &mut Vec<Leaf<'a>>)) -> bool {
    if claims.is_empty() || path.len() >= DEEPEST {
        return false;
    }
    let mut sound = true;
    for (name, claim) in claims {
        let mut path = path.to_vec();
        path.push(name.as_str());
        match claim {
            Claim::Each(inner) => sound &= collect(inner, (&path, leaves)),
            leaf => leaves.push((path, leaf)),
        }
    }
    sound
}

/// Whether the claim is an id by its name: `repository_id`, `uid`, `project-id`.
fn is_lasting(path: &[&str], claim: &Claim) -> bool {
    let last = path.last().copied().unwrap_or_default();
    let by_name = matches!(last, "id" | "uid" | "oid")
        || ["_id", "-id", "_uid", "-uid"].iter().any(|end| last.ends_with(end));
    let said = match claim {
        Claim::Number(_) => true,
        Claim::Text(text) => !text.is_empty(),
        Claim::Flag(_) | Claim::Each(_) => false,
    };
    // What `client_id` names is whom the token is for, not who has it.
    by_name && said && last != "client_id"
}

impl Policy {
    /// Every workload that a token is recognised as.
    pub fn recognised<'a>(&'a self, issuer: &'a str, said: &'a Claims) -> impl Iterator<Item = &'a Workload> {
        self.workloads.iter().filter(move |workload| workload.recognises(issuer, said))
    }

    /// The workload of this name.
    #[must_use]
    pub fn workload(&self, name: &Name) -> Option<&Workload> {
        self.workloads.iter().find(|workload| &workload.name == name)
    }
}

impl Serialize for Claim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Each(claims) => claims.serialize(serializer),
        }
    }
}

struct ClaimVisitor;

impl<'de> de::Visitor<'de> for ClaimVisitor {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true or false, or a table of these")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Claim, E> {
        Ok(Claim::Text(text.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Claim, E> {
        Ok(Claim::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Claim, E> {
        i64::try_from(number).map(Claim::Number).map_err(|_| E::custom("a number beyond 2^53 - 1"))
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Claim, E> {
        Ok(Claim::Flag(flag))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Claim, A::Error> {
        let mut claims = Claims::new();
        while let Some((name, claim)) = map.next_entry::<String, Claim>()? {
            if claims.insert(name, claim).is_some() {
                return Err(de::Error::custom("a claim is named twice"));
            }
        }
        Ok(Claim::Each(claims))
    }
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClaimVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workload(claims: &Value) -> Workload {
        serde_json::from_value(json!({
            "name": "deploys", "issuer": "https://ci.example", "claims": claims,
            "token": "service-token/deployer", "environment": "production", "scopes": ["deploy:release/nudgepay"],
            "owner": "per_00000000000000000000000000000001",
        }))
        .unwrap()
    }

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn claims_are_compared_exactly() {
        let wanted = workload(&json!({ "repository_id": "42", "ref_protected": true, "run": 7 }));
        let whole =
            json!({ "repository_id": "42", "ref_protected": true, "run": 7, "sub": "repo:acme/pay:ref" });
        let meets = |said: &Value| wanted.recognises("https://ci.example", &claims(said.clone()));
        assert!(meets(&whole));
        for (name, other) in [
            ("repository_id", json!(42)),
            ("repository_id", json!("420")),
            ("repository_id", json!("042")),
            ("repository_id", json!(" 42")),
            ("repository_id", json!({ "": "42" })),
            ("ref_protected", json!("true")),
            ("ref_protected", json!(1)),
            ("run", json!("7")),
            ("run", json!(-7)),
        ] {
            let mut said = whole.clone();
            said[name] = other;
            assert!(!meets(&said), "{said}");
            said.as_object_mut().unwrap().remove(name);
            assert!(!meets(&said), "{said}");
        }
        assert!(!wanted.recognises("https://ci.example/", &claims(whole.clone())), "another issuer's word");
        assert!(!wanted.recognises("https://CI.example", &claims(whole)));
    }

    /// Kubernetes says who it is three tables deep, and a point in a name is no path.
    #[test]
    fn claims_in_tables_are_found_by_their_path_alone() {
        let wanted = workload(&json!({ "kubernetes.io": { "serviceaccount": { "uid": "4f1c" } } }));
        let meets = |said: Value| wanted.recognises("https://ci.example", &claims(said));
        assert!(meets(
            json!({ "kubernetes.io": { "namespace": "ci", "serviceaccount": { "name": "x", "uid": "4f1c" } } })
        ));
        assert!(!meets(json!({ "kubernetes.io": { "serviceaccount": { "uid": "4f1d" } } })));
        assert!(!meets(json!({ "kubernetes.io": { "uid": "4f1c" } })));
        assert!(!meets(json!({ "kubernetes": { "io": { "serviceaccount": { "uid": "4f1c" } } } })));
        assert!(!meets(json!({ "kubernetes.io.serviceaccount.uid": "4f1c" })));
        assert!(!meets(json!({ "kubernetes.io": "4f1c" })));
    }

    /// A repository of the same name later, a fork, a renamed branch: by its names alone nothing is recognised.
    #[test]
    fn subject_format_change() {
        for names in [
            json!({ "sub": "repo:acme/pay:ref:refs/heads/main" }),
            json!({ "repository": "acme/pay", "ref": "refs/heads/main" }),
            json!({ "repository_id": "" }),
            json!({ "repository_id": true }),
            json!({ "client_id": "7" }),
            json!({ "identity": "7" }),
        ] {
            let flaws = workload(&names).flaws();
            assert!(
                flaws.iter().any(|(place, what)| *place == "claims" && what.contains("no id that stays")),
                "{names}"
            );
        }
        for ids in [
            json!({ "repository_id": "42" }),
            json!({ "project_id": 7, "sub": "project_path:acme/pay" }),
            json!({ "oidc.circleci.com/project-id": "c2fd" }),
            json!({ "kubernetes.io": { "serviceaccount": { "uid": "4f1c" } } }),
        ] {
            assert_eq!(workload(&ids).flaws(), [], "{ids}");
        }
    }

    #[test]
    fn what_means_nothing_or_too_much_is_a_flaw() {
        let id = || json!({ "repository_id": "42" });
        let with = |name: &str, value: Value| {
            let mut claims = id();
            claims[name] = value;
            workload(&claims)
        };
        let mut deep = json!("x");
        for _ in 0..9 {
            deep = json!({ "a": deep });
        }
        for (flawed, place) in [
            (with("ref", json!("refs/heads/*")), "claims"),
            (with("aud", json!("countersign")), "claims"),
            (with("jti", json!("7")), "claims"),
            (with("inner", json!({})), "claims"),
            (with("inner", deep), "claims"),
            (Workload { issuer: "ci.example".into(), ..workload(&id()) }, "issuer"),
            (Workload { issuer: "https://ci.example?a=b".into(), ..workload(&id()) }, "issuer"),
            (Workload { issuer: "https://*.example".into(), ..workload(&id()) }, "issuer"),
            (Workload { token: "token/deployer".parse().unwrap(), ..workload(&id()) }, "token"),
            (Workload { scopes: BTreeSet::new(), ..workload(&id()) }, "scopes"),
            (
                Workload { scopes: ["deploy:release/*".parse().unwrap()].into(), ..workload(&id()) },
                "patterns",
            ),
            (
                Workload { max_lifetime_seconds: 86_401.try_into().unwrap(), ..workload(&id()) },
                "max_lifetime_seconds",
            ),
        ] {
            let places: Vec<_> = flawed.flaws().into_iter().map(|(place, _)| place).collect();
            assert_eq!(places, [place], "{flawed:?}");
        }
    }

    #[test]
    fn who_is_recognised_by_nothing_is_nobody() {
        assert!(!workload(&json!({})).flaws().is_empty());
    }

    #[test]
    fn a_claim_reads_as_it_is_written_and_nothing_else_is_one() {
        let text = r#"{"a":"x","b":-3,"c":false,"d":{"e":"y"}}"#;
        let read: Claims = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for odd in ["[1]", "1.5", "null", "18446744073709551615", r#"{"a":"x","a":"x"}"#] {
            assert!(serde_json::from_str::<Claim>(odd).is_err(), "{odd}");
        }
    }
}
