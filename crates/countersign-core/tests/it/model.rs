//! A second opinion on permits and votes, written apart from the core and from its auditor: what a permit rests on is looked up in a
//! book of its own, people are counted by Hall's theorem, and rules are compared by their text.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::action::Action;
use countersign_core::approval::Fresh;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId, PersonId, SessionId};
use countersign_core::time::Time;
use countersign_core::{Event, Fact};
use serde_json::Value;

/// What is known of a request.
#[derive(Debug)]
struct Request {
    requester: PersonId,
    action: String,
    parameters: Digest,
    rules: String,
    pending_until: Time,
    approved_until: Option<Time>,
    voters: BTreeSet<PersonId>,
    over: bool,
    used: bool,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Model {
    policy: Value,
    claimed: BTreeSet<PersonId>,
    /// Who proved who they are, when and for what, by which session; until a vote uses that.
    proofs: BTreeMap<SessionId, (PersonId, Time, Digest)>,
    requests: BTreeMap<ApprovalId, Request>,
    /// Permits that can still be given back.
    reserved: BTreeMap<PermitId, Option<ApprovalId>>,
    /// Permits that rested on an approval.
    pub(crate) on_approvals: u64,
}

impl Model {
    /// Takes down the next event, and panics if it must not be.
    pub(crate) fn see(&mut self, event: &Event) {
        let now = event.at;
        match &event.fact {
            Fact::PolicyActivated(_, activated) => {
                if let Some(id) = activated.approval {
                    self.consumed_already(id);
                }
                self.policy = serde_json::to_value(activated.policy.as_ref().unwrap()).unwrap();
            }
            Fact::PersonClaimed(person, _) => drop(self.claimed.insert(*person)),
            Fact::ApprovalRequested(id, requested) => {
                let request = Request {
                    requester: event.actor.person().unwrap(),
                    action: requested.action.to_string(),
                    parameters: requested.parameters_sha256,
                    rules: self.rules(&requested.action).to_string(),
                    pending_until: requested.pending_until,
                    approved_until: None,
                    voters: BTreeSet::new(),
                    over: false,
                    used: false,
                };
                assert!(request.rules.contains("\"required\""), "asked for what needs no approval");
                assert!(self.requests.insert(*id, request).is_none(), "asked twice");
            }
            Fact::SessionSteppedUp(id, proved) => {
                let proof = (event.actor.person().unwrap(), now, proved.request_sha256);
                self.proofs.insert(*id, proof);
            }
            Fact::ApprovalGranted(id, voted) => {
                self.granted(*id, event.actor.person().unwrap(), now);
                self.is_fresh(event, *id, voted.fresh);
            }
            Fact::ApprovalCompleted(id, completed) => {
                self.assert_quorum(*id);
                self.request(*id).approved_until = Some(completed.approved_until);
            }
            Fact::ApprovalDenied(id, _) | Fact::ApprovalWithdrawn(id, _) | Fact::ApprovalExpired(id, _) => {
                let request = self.request(*id);
                assert!(!request.used && !request.over, "what is over ends again");
                request.over = true;
            }
            Fact::ApprovalConsumed(id, _) => self.consumed(*id, now),
            Fact::ApprovalRestored(id, restored) => {
                assert_eq!(
                    self.reserved.get(&restored.permit),
                    None,
                    "given back while the permit can be used"
                );
                self.request(*id).used = false;
            }
            Fact::PermitReserved(id, reserved) => {
                let asked = (reserved.action.clone(), reserved.parameters_sha256);
                self.reserved_by(event.actor.person().unwrap(), &asked, reserved.approval);
                self.reserved.insert(*id, reserved.approval);
            }
            Fact::PermitReleased(id, _) => {
                assert!(self.reserved.remove(id).is_some(), "what cannot be used is given back");
            }
            Fact::PermitStarted(id, _) => {
                assert!(self.reserved.remove(id).is_some(), "a permit is started twice, or after it ended");
            }
            Fact::PermitLapsed(id, _) => drop(self.reserved.remove(id)),
            _ => {}
        }
    }

    fn request(&mut self, id: ApprovalId) -> &mut Request {
        self.requests.get_mut(&id).unwrap_or_else(|| panic!("`{id}` was never asked for"))
    }

    fn granted(&mut self, id: ApprovalId, voter: PersonId, now: Time) {
        assert!(self.claimed.contains(&voter), "somebody votes who has no credential");
        let request = self.request(id);
        assert_ne!(request.requester, voter, "a requester votes");
        assert!(now < request.pending_until || request.approved_until.is_some(), "a vote after the deadline");
        assert!(!request.over && !request.used, "a vote on what is over");
        assert!(request.voters.insert(voter), "somebody votes twice");
    }

    /// Nobody signs here, so where a rule wants it a vote rests on a proof of the voter's, for what they ask, of just now, and no other vote does.
    fn is_fresh(&mut self, event: &Event, id: ApprovalId, fresh: Option<Fresh>) {
        let rules: Value = serde_json::from_str(&self.request(id).rules).unwrap();
        let demanded =
            rules.as_array().unwrap().iter().filter_map(|rule| rule["fresh_seconds"].as_i64()).min();
        let Some(seconds) = demanded else {
            assert_eq!(fresh, None, "a proof where none is wanted");
            return;
        };
        let fresh = fresh.expect("a vote without a proof");
        let proof = self.proofs.remove(&fresh.session).expect("a proof that is no more");
        assert_eq!(Some(proof.0), event.actor.person(), "somebody else's proof");
        assert_eq!(proof.2, fresh.request_sha256, "a proof of something else");
        assert!(event.at.as_millis() - proof.1.as_millis() < seconds * 1_000, "a stale proof");
    }

    /// An approval is used: everything about it must hold now.
    fn consumed(&mut self, id: ApprovalId, now: Time) {
        self.assert_quorum(id);
        let request = self.request(id);
        assert!(!request.over, "used although it is over");
        assert!(!request.used, "used twice");
        let until = request.approved_until.expect("used before it was complete");
        assert!(now < until, "used at or after its deadline");
        request.used = true;
    }

    fn consumed_already(&mut self, id: ApprovalId) {
        let request = self.request(id);
        assert!(
            request.used && request.action == "activate policy/main control",
            "activated without its approval"
        );
    }

    fn reserved_by(
        &mut self,
        executor: PersonId,
        (action, parameters): &(Action, Digest),
        approval: Option<ApprovalId>,
    ) {
        assert!(self.claimed.contains(&executor), "a permit for somebody without a credential");
        let rules = self.rules(action);
        let rules = rules.as_array().unwrap();
        assert!(!rules.is_empty(), "a permit for what no rule governs");
        for rule in rules {
            let groups = rule["executors"].as_array().unwrap().iter();
            assert!(
                groups.into_iter().any(|group| self.members(group).contains(&executor)),
                "not an executor by {rule}"
            );
        }
        let needed = rules.iter().any(|rule| rule["approval"] == "required");
        assert!(!needed || approval.is_some(), "a permit without the approval it needs");
        let Some(id) = approval else { return };
        self.on_approvals += 1;
        let held = self.reserved.values().filter(|other| **other == Some(id)).count();
        assert_eq!(held, 0, "two permits on one approval");
        let request = self.request(id);
        assert!(request.used, "a permit on an approval that was not used up");
        assert_eq!(
            (&request.action, &request.parameters),
            (&action.to_string(), parameters),
            "another action"
        );
    }

    /// The rules that apply now are those that applied then, and enough people agreed who count now.
    fn assert_quorum(&mut self, id: ApprovalId) {
        let request = &self.requests[&id];
        let words: Vec<&str> = request.action.split(' ').collect();
        let rules = self.matching(&words);
        assert_eq!(rules.to_string(), request.rules, "the rules have changed");
        let mut places: BTreeMap<&str, u64> = BTreeMap::new();
        for (group, count) in
            rules.as_array().unwrap().iter().filter_map(|rule| rule["quorum"].as_object()).flatten()
        {
            let most = places.entry(group).or_default();
            *most = (*most).max(count.as_u64().unwrap());
        }
        let places: Vec<(&str, u64)> = places.into_iter().collect();
        assert!(places.iter().any(|(_, count)| *count > 0), "a quorum of nobody");
        let voters: BTreeSet<PersonId> = request
            .voters
            .iter()
            .copied()
            .filter(|it| self.claimed.contains(it) && *it != request.requester)
            .collect();
        // Hall: places can be filled exactly if, of every choice of groups, enough people are in one of them.
        for choice in 1..1_u32 << places.len() {
            let chosen: Vec<&(&str, u64)> = places
                .iter()
                .enumerate()
                .filter(|(bit, _)| choice >> bit & 1 == 1)
                .map(|(_, place)| place)
                .collect();
            let needed: u64 = chosen.iter().map(|(_, count)| count).sum();
            let able = voters.iter().filter(|voter| {
                chosen.iter().any(|(group, _)| self.members(&Value::from(*group)).contains(voter))
            });
            assert!(
                u64::try_from(able.count()).unwrap() >= needed,
                "too few people of {chosen:?} agreed to `{id}`"
            );
        }
    }

    fn members(&self, group: &Value) -> BTreeSet<PersonId> {
        let members = self.policy["groups"][group.as_str().unwrap()].as_array().into_iter().flatten();
        members.map(|id| id.as_str().unwrap().parse().unwrap()).collect()
    }

    fn rules(&self, action: &Action) -> Value {
        let text = action.to_string();
        self.matching(&text.split(' ').collect::<Vec<_>>())
    }

    /// The rules that apply, in the order of their names.
    fn matching(&self, words: &[&str]) -> Value {
        let fits = |pattern: &Value, word: &str| {
            let pattern = pattern.as_str().unwrap();
            let of_type =
                pattern.strip_suffix('*').is_some_and(|kind| kind.ends_with('/') && word.starts_with(kind));
            pattern == "*" || pattern == word || of_type
        };
        let mut rules: Vec<Value> = self.policy["rules"].as_array().unwrap().clone();
        rules.retain(|rule| {
            fits(&rule["verb"], words[0])
                && fits(&rule["resource"], words[1])
                && fits(&rule["environment"], words[2])
        });
        // What a rule demands is compared, not to what else it applies.
        for rule in &mut rules {
            for pattern in ["verb", "resource", "environment", "patterns"] {
                rule.as_object_mut().unwrap().remove(pattern);
            }
        }
        rules.sort_by_key(|rule| rule["name"].as_str().unwrap().to_owned());
        Value::Array(rules)
    }
}
