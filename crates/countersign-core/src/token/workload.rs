//! The token of a workload, issued by a CI system or a cluster, exchanged for a service token as the policy says.
//!
//! Whether it is genuine, the node has found out; what it says is compared here, with the policy in force. It is exchanged once: its id is
//! remembered until it could not be used any more, however its issuer's clock differs.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::decide::{grantable, is_fresh};
use super::{Issued, Refusal, Scope, issuing};
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::freeze;
use crate::id::TokenId;
use crate::once::Spent;
use crate::permit::{self, Demand};
use crate::person::Person;
use crate::policy::{Claims, Policy, Workload};
use crate::sabotage::{self, Sabotage};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

/// How far the clocks of issuers may differ from ours, seconds.
pub const SKEW_SECONDS: u32 = 60;

/// How long a workload's token may still be good when it is exchanged, seconds: for that long it is remembered.
pub const LONGEST_VALIDITY_SECONDS: u32 = 24 * 3_600;

/// What a genuine token of an issuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its issuer, as it stands in `iss`.
    pub issuer: String,
    /// Its id among all of its issuer.
    pub jti: String,
    /// Until when it is good, by its issuer's clock.
    pub expires_at: Time,
    /// Everything it says that can be compared.
    pub claims: Claims,
    /// SHA-256 of the whole token.
    pub subject_token_sha256: Digest,
}

/// Exchanges a workload's token for a service token.
#[derive(Clone, Debug)]
pub struct ExchangeWorkload {
    /// What is exchanged.
    pub presented: Presented,
    /// As which workload; needed where it is recognised as several.
    pub workload: Option<Name>,
    /// What the service token may do; everything the policy offers unless something is named.
    pub scopes: BTreeSet<Scope>,
    /// How long it lives, seconds; as long as the policy lets it unless given.
    pub lifetime_seconds: Option<NonZeroU32>,
    /// SHA-256 of the service token.
    pub token_sha256: Digest,
    /// The key whose possession whoever uses it must show, by its thumbprint.
    pub cnf_jkt: Option<Digest>,
}

/// Whose token a service token was exchanged for, in `token.issued`. What it said is in the details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its issuer.
    pub issuer: String,
    /// The workload of the policy in force as which it was recognised.
    pub rule: Name,
    /// Its id and issuer, which are not accepted again.
    pub spent: Spent,
    /// SHA-256 of the whole token.
    pub subject_token_sha256: Digest,
}

impl Presented {
    /// What is remembered of it.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let named = format!("countersign-workload-token-v1\n{}\n{}", self.issuer, self.jti);
        Spent { sha256: Digest::of(named.as_bytes()), until: self.expires_at.plus_seconds(SKEW_SECONDS) }
    }

    /// The workload as which it is recognised at `now`. Also for whoever wants to know before anything is asked for.
    ///
    /// # Errors
    /// It has expired or is good for too long, it is recognised as none or as several, or it was exchanged before.
    pub fn recognised<'a>(
        &'a self,
        state: &'a State,
        (now, named): (Time, Option<&Name>),
    ) -> Result<&'a Workload, Refusal> {
        let Spent { sha256, until } = self.spent();
        if now >= until {
            return Err(Refusal::WorkloadTokenExpired);
        }
        if self.expires_at > now.plus_seconds(LONGEST_VALIDITY_SECONDS) {
            return Err(Refusal::WorkloadTokenLivesTooLong);
        }
        let policy = state.policy().map(|in_force| &in_force.policy);
        let workload = self.only(policy.ok_or(Refusal::WorkloadUnknown)?, named)?;
        if state.is_spent(&sha256) && !sabotage::is_active(Sabotage::WorkloadTwice) {
            return Err(Refusal::WorkloadTokenSpent);
        }
        Ok(workload)
    }

    fn only<'a>(&'a self, policy: &'a Policy, named: Option<&Name>) -> Result<&'a Workload, Refusal> {
        let meant = |workload: &&Workload| named.is_none_or(|name| &workload.name == name);
        let mut found = policy.recognised(&self.issuer, &self.claims).filter(meant);
        match (found.next(), found.next()) {
            (Some(workload), None) => Ok(workload),
            (Some(_), Some(_)) => Err(Refusal::WorkloadAmbiguous),
            (None, _) => Err(Refusal::WorkloadUnknown),
        }
    }
}

pub(crate) fn exchange(
    state: &State,
    cx: &Context,
    command: &ExchangeWorkload,
) -> Result<Vec<Event>, domain::Refusal> {
    let ExchangeWorkload { presented, workload: named, scopes, lifetime_seconds, token_sha256, cnf_jkt } =
        command;
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode.into());
    }
    let workload = presented.recognised(state, (cx.now, named.as_ref()))?;
    let owner = state.person(workload.owner).filter(|person| Person::is_active(person));
    owner.ok_or(Refusal::OwnerGone)?;
    is_not_frozen(state, cx, workload)?;
    let scopes = if scopes.is_empty() { &workload.scopes } else { scopes };
    grantable(scopes, &BTreeSet::new(), |scope| workload.offers(scope))?;
    let most = workload.max_lifetime_seconds;
    let lifetime_seconds = lifetime_seconds.unwrap_or(most);
    if lifetime_seconds > most {
        return Err(Refusal::LivesTooLong(most.get()).into());
    }
    is_fresh(state, token_sha256)?;
    let issued = Issued {
        approval: None,
        cnf_jkt: *cnf_jkt,
        expires_at: cx.now.plus_seconds(lifetime_seconds.get()),
        networks: BTreeSet::new(),
        owner: workload.owner,
        parent: None,
        resource: workload.token.clone(),
        scopes: scopes.clone(),
        token_sha256: *token_sha256,
        workload: Some(Origin {
            issuer: presented.issuer.clone(),
            rule: workload.name.clone(),
            spent: presented.spent(),
            subject_token_sha256: presented.subject_token_sha256,
        }),
    };
    let fact = Fact::TokenIssued(TokenId(cx.first()), issued);
    Ok(Vec::from([Event::new(cx, cx.correlation, Some(&workload.environment), fact)]))
}

/// A freeze that holds the issuing of such tokens holds it here too. Nobody is excepted: whoever could ask for that is not here.
fn is_not_frozen(state: &State, cx: &Context, workload: &Workload) -> Result<(), permit::Refusal> {
    let action = issuing(&workload.token, &workload.environment).ok_or(permit::Refusal::NoRule)?;
    let demand =
        Demand { action: &action, parameters_sha256: Digest([0; 32]), approval: None, exceptions: &[] };
    freeze::pass(state, cx, &demand).map(|_| ())
}
