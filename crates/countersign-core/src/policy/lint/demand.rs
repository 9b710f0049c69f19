//! What rules that meet come to for the people there are: whether anybody can ask, agree and execute, and on whom it all hangs.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Found, Severity, Words};
use crate::action::Action;
use crate::id::PersonId;
use crate::policy::{Consent, Policy, Requirement};
use crate::text::Name;
use crate::voting_key::enrolment;

/// The people of a policy in their parts for one action.
struct Cast<'a> {
    policy: &'a Policy,
    requirement: Requirement,
    requesters: Vec<PersonId>,
    executors: BTreeSet<PersonId>,
    approvers: BTreeSet<PersonId>,
}

impl<'a> Cast<'a> {
    fn new(policy: &'a Policy, requirement: Requirement) -> Self {
        let everybody = policy.everybody();
        let of = |may: &dyn Fn(PersonId) -> bool| {
            everybody.iter().copied().filter(|person| may(*person)).collect()
        };
        let requesters: BTreeSet<PersonId> = of(&|person| requirement.may_request(policy, person));
        let executors = of(&|person| requirement.may_execute(policy, person));
        let approvers = of(&|person| requirement.may_approve(policy, person));
        Self { policy, requesters: requesters.into_iter().collect(), executors, approvers, requirement }
    }

    /// Whether a request of this person can meet its quorum while these people are away.
    fn can_be_met(&self, requester: PersonId, away: Option<PersonId>) -> bool {
        let gone = |person: PersonId| {
            [Some(requester), away].into_iter().flatten().any(|it| self.policy.are_one(it, person))
        };
        let there = self.approvers.iter().copied().filter(|person| !gone(*person)).collect();
        self.requirement.unfilled(self.policy, &there).is_empty()
    }
}

impl Found<'_> {
    /// Judges what the rules of these names demand of the action together.
    pub(super) fn demand(&mut self, rules: &BTreeSet<Name>, action: &Action) {
        let Some(requirement) = self.policy.requirement(action) else { return };
        let policy = self.policy;
        let cast = Cast::new(policy, requirement);
        let names = rules.iter().map(Name::as_str).collect::<Vec<_>>().join("+");
        let place = |field: &str| format!("rules.{names}.{field}");
        if cast.executors.is_empty() {
            let what =
                format!("nobody may execute `{action}`: nobody is in an executor group of each of its rules");
            let right = "let the rules' executor groups have members in common";
            self.add(Severity::Error, place("executors"), Words { code: "nobody_executes", what, right });
        } else if let (1, Some(only)) = (cast.executors.len(), cast.executors.first()) {
            let what = format!("one person alone may execute `{action}`; nobody does while they are away");
            let words = Words { code: "single_executor", what, right: "a second executor" };
            self.add_about(Severity::Warning, place("executors"), (words, [*only].into()));
        }
        if cast.requirement.approval == Consent::NotRequired {
            return;
        }
        if cast.requesters.is_empty() {
            let what =
                format!("nobody may request `{action}`: nobody is in a requester group of each of its rules");
            let right = "let the rules' requester groups have members in common";
            self.add(Severity::Error, place("requesters"), Words { code: "nobody_requests", what, right });
            return;
        }
        self.quorum((&cast, action), place("quorum"));
    }

    /// Whether a first key could only be given to somebody by people who have one.
    pub(super) fn first_keys(&mut self) {
        for person in self.policy.everybody() {
            let demanded = enrolment(person).and_then(|action| self.policy.requirement(&action));
            let Some(demanded) = demanded.filter(|it| it.approval == Consent::Required) else { continue };
            if demanded.signature.is_not_required() {
                continue;
            }
            let names = demanded.rules.iter().map(Name::as_str).collect::<Vec<_>>().join("+");
            let what = "agreeing to a voting key takes a signature by one: before anybody has a key, nobody ever gets one"
                .into();
            let right = "no `signature` where it applies to `enroll voting-key/*`, at least until everybody who agrees there has a key";
            self.add(
                Severity::Warning,
                format!("rules.{names}.signature"),
                Words { code: "signed_enrolment", what, right },
            );
        }
    }

    fn quorum(&mut self, (cast, action): (&Cast<'_>, &Action), place: String) {
        let (able, unable): (Vec<PersonId>, Vec<PersonId>) =
            cast.requesters.iter().partition(|requester| cast.can_be_met(**requester, None));
        if able.is_empty() {
            let what = format!(
                "no request for `{action}` can ever meet its quorum: there are too few people besides the requester"
            );
            let right = "lower the quorum or enlarge its groups";
            self.add(Severity::Error, place, Words { code: "unsatisfiable", what, right });
            return;
        }
        if !unable.is_empty() {
            let what = format!(
                "{} of those who may request `{action}` can never have it approved: they are needed for the quorum themselves",
                unable.len()
            );
            let words = Words {
                code: "requester_needed",
                what,
                right: "another approver, or no approvers among the requesters",
            };
            self.add_about(Severity::Warning, place.clone(), (words, unable));
        }
        let needed = |person: &PersonId| {
            let somebody = able
                .iter()
                .any(|one| !cast.policy.are_one(*one, *person) && cast.can_be_met(*one, Some(*person)));
            !somebody
        };
        let single: Vec<PersonId> = cast.approvers.iter().copied().filter(needed).collect();
        if !single.is_empty() {
            let what =
                format!("`{action}` cannot be approved while one person is away: {} of them", single.len());
            let words = Words {
                code: "single_point",
                what,
                right: "enlarge the quorum's groups so that anybody can be away",
            };
            self.add_about(Severity::Warning, place.clone(), (words, single));
        }
        if cast.executors.is_superset(&cast.approvers) {
            let what =
                format!("everybody who approves `{action}` may execute it too, so nobody only watches");
            let right = "an approver who cannot execute, where four eyes shall mean two roles";
            self.add(Severity::Note, place, Words { code: "approvers_execute", what, right });
        }
    }
}
