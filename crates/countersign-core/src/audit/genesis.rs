//! Genesis is written once and first; every later policy rests on an approval of exactly that, under the policy it replaces.

use alloc::collections::{BTreeMap, BTreeSet};

use super::demand::Demand;
use super::key::Keys;
use super::owed::Owed;
use super::person::Standing;
use super::violation::Breach;
use super::{Auditor, InForce, Verdict, by_node, is_of_none, must, roster};
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::log::PolicyActivated;
use crate::policy::Policy;

/// What a policy is replaced under.
pub(super) const ACTIVATE: [&str; 3] = ["activate", "policy/main", "control"];

/// Whether the action is the replacement of the policy.
pub(super) fn is_activation(action: &Action) -> bool {
    [action.verb.as_str(), action.resource.as_str(), action.environment.as_str()] == ACTIVATE
}

impl Auditor {
    pub(super) fn genesis(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match (&event.fact, owed) {
            (Fact::LogCreated(_, created), _) => {
                must(self.last.is_none(), Breach::SecondGenesis)?;
                by_node(event)?;
                is_of_none(event)?;
                self.keys = Keys::begun(created);
                self.owed.push(Owed::FirstPolicy);
                Ok(())
            }
            (Fact::PolicyActivated(_, activated), Some(Owed::FirstPolicy)) => {
                by_node(event)?;
                is_of_none(event)?;
                must(activated.bootstrap && activated.approval.is_none(), Breach::NotBootstrap)?;
                self.adopting = true;
                self.put_in_force(activated, None)
            }
            (Fact::PolicyActivated(_, activated), Some(Owed::Activated { requester, .. })) => {
                must(!activated.bootstrap, Breach::NotBootstrap)?;
                let [.., environment] = ACTIVATE;
                let named = event.environment.as_ref().map(crate::text::Name::as_str);
                must(named == Some(environment), Breach::WrongEnvironment)?;
                self.put_in_force(activated, Some(*requester))
            }
            _ => Err(Breach::Unprompted),
        }
    }

    /// The author is named if there is one and it matters; of a rule that stays as it was it is who it was.
    fn put_in_force(&mut self, activated: &PolicyActivated, requester: Option<PersonId>) -> Verdict {
        let policy = activated.policy.as_ref().ok_or(Breach::PolicyUnresolved)?;
        let members = roster::everybody(policy);
        if let Some(stranger) = members.into_iter().find(|person| !self.people.contains_key(person)) {
            return Err(Breach::PolicyUnknownMember(stranger));
        }
        let there = self.people.iter().filter(|(_, standing)| **standing != Standing::Deactivated);
        let there = there.map(|(person, _)| *person).collect();
        must(is_replaceable(policy, &there), Breach::PolicyIrreplaceable)?;
        let matters = policy.rules.iter().any(|rule| rule.independent_of_author);
        must(activated.author == requester.filter(|_| matters), Breach::WrongAuthor)?;
        let mut authors = BTreeMap::new();
        for rule in policy.rules.iter().filter(|rule| rule.independent_of_author) {
            let before = self.policy.as_ref().filter(|before| before.policy.rules.contains(rule));
            let author = match before {
                Some(before) => before.authors.get(&rule.name).copied(),
                None => requester,
            };
            authors.extend(author.map(|author| (rule.name.clone(), author)));
        }
        self.policy = Some(InForce { policy: policy.clone(), sha256: activated.policy_sha256, authors });
        Ok(())
    }
}

/// Whether these people could replace the policy, with the consent of others than who asks.
pub(super) fn is_replaceable(policy: &Policy, people: &BTreeSet<PersonId>) -> bool {
    let [Ok(verb), Ok(environment)] = [ACTIVATE[0].parse(), ACTIVATE[2].parse()] else { return false };
    let Ok(resource) = ACTIVATE[1].parse() else { return false };
    let Ok(demand) = Demand::new(policy, &Action { verb, resource, environment }) else { return false };
    let others = |requester: &PersonId| {
        people.iter().copied().filter(|it| !roster::are_one(policy, *it, *requester)).collect()
    };
    let could_ask = |it: &PersonId| demand.may_request(*it) && demand.is_met(&others(it));
    demand.needs_consent()
        && people.iter().any(|person| demand.may_execute(*person))
        && people.iter().any(could_ask)
}
