//! What a policy demands of an action, who of the people there are could supply it, and what stands in one person's way.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Consent, Missing, Policy, Requirement};
use crate::action::Action;
use crate::id::PersonId;
use crate::{approval, permit};

/// What is demanded, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What all rules that apply demand together; none where no rule does.
    pub requirement: Option<Requirement>,
    /// Who may ask.
    pub requesters: Vec<PersonId>,
    /// How many of whom must agree, and who could, the person excepted.
    pub quorum: Vec<Missing>,
    /// Who may execute.
    pub executors: Vec<PersonId>,
    /// What one person could do.
    pub standing: Standing,
}

/// What stands in one person's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub person: PersonId,
    /// Why they could not ask.
    pub request: Option<approval::Refusal>,
    /// Why they could not agree to a request of somebody else.
    pub approve: Option<approval::Refusal>,
    /// Why they could not execute it, approved or not.
    pub execute: Option<permit::Refusal>,
}

/// Explains the action for one of the people who have a credential.
#[must_use]
pub fn explain(
    policy: &Policy,
    (action, people): (&Action, &BTreeSet<PersonId>),
    person: PersonId,
) -> Explained {
    let requirement = policy.requirement(action);
    let of = |may: &dyn Fn(&Requirement, PersonId) -> bool| match &requirement {
        Some(requirement) => people.iter().copied().filter(|person| may(requirement, *person)).collect(),
        None => Vec::new(),
    };
    let approve = match &requirement {
        None => Some(approval::Refusal::NoRule),
        Some(requirement) if requirement.may_approve(policy, person) && people.contains(&person) => None,
        Some(_) => Some(approval::Refusal::NotAnApprover),
    };
    let standing = Standing {
        person,
        request: asks(policy, (action, people), person).err(),
        approve,
        execute: executes(policy, action, person).err(),
    };
    Explained {
        requesters: of(&|it, person| it.may_request(policy, person)),
        executors: of(&|it, person| it.may_execute(policy, person)),
        quorum: requirement.iter().flat_map(|it| wanted(policy, (it, people), person)).collect(),
        requirement,
        standing,
    }
}

/// Whose agreement a request of this person would need, and who of the people could give it.
fn wanted(
    policy: &Policy,
    (requirement, people): (&Requirement, &BTreeSet<PersonId>),
    requester: PersonId,
) -> Vec<Missing> {
    let mut wanted = requirement.unfilled(policy, &BTreeSet::new());
    for place in &mut wanted {
        let could = |person: &PersonId| {
            !policy.are_one(*person, requester) && policy.is_member(&place.group, *person)
        };
        place.could = people.iter().copied().filter(could).collect();
    }
    wanted
}

/// Why the person could not ask for the action, or what is demanded.
pub(super) fn asks(
    policy: &Policy,
    (action, people): (&Action, &BTreeSet<PersonId>),
    person: PersonId,
) -> Result<Requirement, approval::Refusal> {
    let requirement = policy.requirement(action).ok_or(approval::Refusal::NoRule)?;
    if !requirement.may_request(policy, person) {
        return Err(approval::Refusal::NotARequester);
    }
    if requirement.approval == Consent::NotRequired {
        return Err(approval::Refusal::NotNeeded);
    }
    let others = people.iter().copied().filter(|other| !policy.are_one(*other, person)).collect();
    let missing = requirement.unfilled(policy, &others);
    if missing.is_empty() { Ok(requirement) } else { Err(approval::Refusal::Unsatisfiable(missing)) }
}

/// Why the person could not execute the action, approved or not, or what is demanded.
pub(super) fn executes(
    policy: &Policy,
    action: &Action,
    person: PersonId,
) -> Result<Requirement, permit::Refusal> {
    let requirement = policy.requirement(action).ok_or(permit::Refusal::NoRule)?;
    if requirement.may_execute(policy, person) {
        Ok(requirement)
    } else {
        Err(permit::Refusal::NotAnExecutor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ANA, AUD, BEN, CHLOE, DAN, action, payout, policy};

    #[test]
    fn everybody_who_could_is_named_and_so_is_what_stands_in_the_way() {
        let (policy, payout) = (policy(), payout());
        let people = BTreeSet::from([ANA, BEN, CHLOE, AUD, DAN]);
        let of = |person| explain(&policy, (&payout, &people), person);
        let ana = of(ANA);
        assert_eq!(
            (ana.requesters.as_slice(), ana.executors.as_slice()),
            ([ANA, DAN].as_slice(), [ANA, DAN].as_slice())
        );
        assert_eq!((ana.quorum[0].needed, ana.quorum[0].could.as_slice()), (2, [BEN, CHLOE].as_slice()));
        assert_eq!(ana.standing, Standing { person: ANA, request: None, approve: None, execute: None });
        let ben = of(BEN).standing;
        assert_eq!((ben.request, ben.approve), (Some(approval::Refusal::NotARequester), None));
        assert_eq!(ben.execute, Some(permit::Refusal::NotAnExecutor));
        assert_eq!(of(AUD).standing.approve, Some(approval::Refusal::NotAnApprover));
    }

    #[test]
    fn what_no_rule_governs_and_what_too_few_could_approve_is_told() {
        let policy = policy();
        let launch = action("launch", "payout/limit", "production");
        let people = BTreeSet::from([ANA, BEN]);
        let nothing = explain(&policy, (&launch, &people), ANA);
        assert_eq!((nothing.requirement, nothing.standing.request), (None, Some(approval::Refusal::NoRule)));
        let few = explain(&policy, (&payout(), &people), ANA).standing.request;
        assert_eq!(few.map(|refusal| refusal.code()), Some("unsatisfiable"));
    }
}
