//! The one table from refusals to statuses. Exhaustive: a new refusal does not compile without a row.

use axum::http::StatusCode;
use countersign_core::log::{census, key, permit_key, sign_ins, witness};
use countersign_core::{
    Refusal, approval, break_glass, delegation, identity, log, passkey, password, permit, person, redaction,
    rotation, session, token, voting_key,
};

/// The status of a refusal.
pub(super) fn of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Log(refusal) => of_log(refusal),
        Refusal::Census(refusal) => match refusal {
            census::Refusal::NotTheNode => StatusCode::FORBIDDEN,
            census::Refusal::NotInitialised | census::Refusal::NotNewer => StatusCode::CONFLICT,
        },
        Refusal::Key(key::Refusal::InForce | key::Refusal::NotInForce | key::Refusal::Retired) => {
            StatusCode::CONFLICT
        }
        Refusal::PermitKey(refusal) => match refusal {
            permit_key::Refusal::NotTheNode => StatusCode::FORBIDDEN,
            permit_key::Refusal::OnRecord => StatusCode::CONFLICT,
        },
        Refusal::Person(refusal) => match refusal {
            person::Refusal::Gone
            | person::Refusal::NotTheNode
            | person::Refusal::UnknownClaim
            | person::Refusal::ClaimExpired => StatusCode::FORBIDDEN,
            person::Refusal::UnknownPerson => StatusCode::NOT_FOUND,
            person::Refusal::OpenTooLong => StatusCode::UNPROCESSABLE_ENTITY,
            person::Refusal::AlreadyEnrolled
            | person::Refusal::ClaimInUse
            | person::Refusal::Deactivated
            | person::Refusal::StillNeeded
            | person::Refusal::CredentialInUse => StatusCode::CONFLICT,
        },
        Refusal::Passkey(refusal) => match refusal {
            passkey::Refusal::Synced => StatusCode::UNPROCESSABLE_ENTITY,
            passkey::Refusal::NotFound => StatusCode::NOT_FOUND,
            passkey::Refusal::InUse | passkey::Refusal::TooMany | passkey::Refusal::Last => {
                StatusCode::CONFLICT
            }
        },
        Refusal::Password(refusal) => match refusal {
            password::Refusal::NotTaken => StatusCode::FORBIDDEN,
            password::Refusal::NotSet => StatusCode::NOT_FOUND,
            password::Refusal::WrongCodes => StatusCode::UNPROCESSABLE_ENTITY,
            password::Refusal::Last => StatusCode::CONFLICT,
        },
        Refusal::Identity(refusal) => match refusal {
            identity::Refusal::NotTaken => StatusCode::FORBIDDEN,
            identity::Refusal::NotFound => StatusCode::NOT_FOUND,
            identity::Refusal::InUse | identity::Refusal::TooMany | identity::Refusal::Last => {
                StatusCode::CONFLICT
            }
        },
        Refusal::Session(refusal) => of_session(*refusal),
        Refusal::Token(refusal) => of_token(refusal),
        Refusal::VotingKey(refusal) => match refusal {
            voting_key::Refusal::NotTheOwner => StatusCode::FORBIDDEN,
            voting_key::Refusal::UnknownPerson | voting_key::Refusal::NotFound => StatusCode::NOT_FOUND,
            voting_key::Refusal::InUse | voting_key::Refusal::Revoked => StatusCode::CONFLICT,
        },
        Refusal::Delegation(refusal) => of_delegation(refusal),
        Refusal::Approval(refusal) => of_approval(refusal),
        Refusal::Permit(refusal) => of_permit(refusal),
        Refusal::BreakGlass(refusal) => of_break_glass(refusal),
        Refusal::Rotation(refusal) => of_rotation(refusal),
        Refusal::Witness(refusal) => match refusal {
            witness::Refusal::NotTheNode => StatusCode::FORBIDDEN,
            witness::Refusal::NotYet | witness::Refusal::AlreadyLost | witness::Refusal::NotLost => {
                StatusCode::CONFLICT
            }
        },
        Refusal::SignIns(refusal) => of_sign_ins(*refusal),
        Refusal::Redaction(refusal) => of_redaction(refusal),
    }
}

fn of_sign_ins(refusal: sign_ins::Refusal) -> StatusCode {
    match refusal {
        sign_ins::Refusal::NotTheNode => StatusCode::FORBIDDEN,
        sign_ins::Refusal::UnknownPerson => StatusCode::NOT_FOUND,
        sign_ins::Refusal::WrongWindow
        | sign_ins::Refusal::TooFew
        | sign_ins::Refusal::TooSoon
        | sign_ins::Refusal::TooMany => StatusCode::CONFLICT,
    }
}

fn of_log(refusal: &log::Refusal) -> StatusCode {
    use log::Refusal as R;
    match refusal {
        R::AlreadyInitialised | R::NotInitialised => StatusCode::CONFLICT,
        R::Flawed(_) | R::UnknownMember(_) | R::NoActivationRule | R::ActivationUnsatisfiable(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

fn of_session(refusal: session::Refusal) -> StatusCode {
    use session::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        // Whoever sends it is not signed in any more.
        R::Ended => StatusCode::UNAUTHORIZED,
        R::NotTheNode
        | R::NotYours
        | R::NoSession
        | R::NotRecent
        | R::NotActive
        | R::OnlyByClaiming
        | R::NotToHandOn
        | R::NoCredential
        | R::NotTaken
        | R::UnknownPasskey
        | R::UnknownPassword
        | R::UnknownIdentity
        | R::CodeNotOfNow
        | R::CodeUsed
        | R::SyncedPasskey => StatusCode::FORBIDDEN,
        R::NotAProof | R::ChallengeMissing => StatusCode::UNPROCESSABLE_ENTITY,
        R::ChallengeUsed | R::InUse | R::ExtendedAlready => StatusCode::CONFLICT,
    }
}

fn of_token(refusal: &token::Refusal) -> StatusCode {
    use token::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        // Whoever sends it has no credential any more.
        R::Ended | R::OwnerGone | R::WorkloadTokenExpired => StatusCode::UNAUTHORIZED,
        R::NeverVotes
        | R::NotForTokens
        | R::OutOfScope
        | R::NotYours
        | R::NotToExchange
        | R::NotTheNode
        | R::WorkloadUnknown
        | R::NotOffered
        | R::ScopeNotOffered(_) => StatusCode::FORBIDDEN,
        R::NotAToken
        | R::NoScope
        | R::TooMany
        | R::OtherNetwork
        | R::OtherKey
        | R::LivesTooLong(_)
        | R::WorkloadTokenLivesTooLong
        | R::WorkloadAmbiguous
        | R::OutlivesItsParent(_) => StatusCode::UNPROCESSABLE_ENTITY,
        R::ExchangedTooOften | R::WorkloadTokenSpent | R::InUse => StatusCode::CONFLICT,
    }
}

fn of_approval(refusal: &approval::Refusal) -> StatusCode {
    use approval::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        R::NotAPerson
        | R::SelfApproval
        | R::DelegateOfRequester
        | R::NotTheRequester
        | R::NoRule
        | R::RuleAuthor
        | R::NotARequester
        | R::NotADelegate
        | R::NotAnApprover
        | R::KeyNotInForce
        | R::SignatureRequired(_)
        | R::NotFresh(_) => StatusCode::FORBIDDEN,
        R::NotVoted
        | R::NotNeeded
        | R::Unsatisfiable(_)
        | R::Consumed
        | R::Denied
        | R::Withdrawn
        | R::Expired
        | R::RequesterGone
        | R::PolicyChanged
        | R::AlreadyVoted
        | R::CommentRequired
        | R::AlreadyApproved
        | R::OtherStatement => StatusCode::CONFLICT,
    }
}

fn of_delegation(refusal: &delegation::Refusal) -> StatusCode {
    use delegation::Refusal as R;
    match refusal {
        R::NotAPerson | R::Unclaimed => StatusCode::FORBIDDEN,
        R::UnknownDelegate => StatusCode::NOT_FOUND,
        R::ToOneself | R::WrongPeriod => StatusCode::UNPROCESSABLE_ENTITY,
        R::AlreadyDelegated | R::NotDelegated => StatusCode::CONFLICT,
    }
}

fn of_permit(refusal: &permit::Refusal) -> StatusCode {
    use permit::Refusal as R;
    match refusal {
        R::NotFound | R::ApprovalNotFound | R::ExceptionNotFound(_) => StatusCode::NOT_FOUND,
        R::NotAPerson
        | R::NoRule
        | R::NotAnExecutor
        | R::NotTheExecutor
        | R::ExceptionNotYours(_)
        | R::NotAReconciler
        | R::SelfReconciliation => StatusCode::FORBIDDEN,
        R::ApprovalRequired(_) => StatusCode::PRECONDITION_REQUIRED,
        R::ActionMismatch
        | R::ParametersMismatch
        | R::ApprovalConsumed
        | R::ApprovalDenied
        | R::ApprovalWithdrawn
        | R::ApprovalExpired
        | R::RequesterGone
        | R::PolicyChanged
        | R::ApprovalPending(_)
        | R::ExceptionUnused(_)
        | R::ExceptionMismatch(_)
        | R::ExceptionEnded(..)
        | R::ExceptionPending(_)
        | R::Frozen(_)
        | R::UseException
        | R::UseRotation
        | R::NotStarted
        | R::AlreadyStarted
        | R::Released
        | R::Lapsed
        | R::Closed
        | R::Unknown
        | R::NotUnknown
        | R::AlreadyReconciled => StatusCode::CONFLICT,
    }
}

fn of_break_glass(refusal: &break_glass::Refusal) -> StatusCode {
    use break_glass::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        R::NotAPerson
        | R::NoRule
        | R::NotOffered
        | R::NotAllowed
        | R::SelfReview
        | R::NotAReviewer
        | R::KeyNotInForce
        | R::HardwareKeyRequired => StatusCode::FORBIDDEN,
        R::ReasonRequired | R::StatementStale => StatusCode::UNPROCESSABLE_ENTITY,
        R::Settled | R::AlreadyReviewed | R::StatementUsed | R::Overdue { .. } | R::Unreviewable(_) => {
            StatusCode::CONFLICT
        }
    }
}

fn of_rotation(refusal: &rotation::Refusal) -> StatusCode {
    use rotation::Refusal as R;
    match refusal {
        R::NotFound => StatusCode::NOT_FOUND,
        R::NotTheRunner | R::NotAPerson | R::NotAnExecutor => StatusCode::FORBIDDEN,
        R::NotGoverned
        | R::NotAdopted
        | R::SecretBusy
        | R::ParametersMismatch
        | R::OverlapTooShort { .. }
        | R::OverlapTooLong { .. }
        | R::Finished
        | R::AlreadyTurnedBack
        | R::PastRevocation
        | R::TaskNotDue => StatusCode::CONFLICT,
    }
}

fn of_redaction(refusal: &redaction::Refusal) -> StatusCode {
    use redaction::Refusal as R;
    match refusal {
        R::EntryNotFound(_) => StatusCode::NOT_FOUND,
        R::NoDetails(_) | R::AlreadyRedacted { .. } | R::DetailsMissing(_) | R::DetailsInUse { .. } => {
            StatusCode::CONFLICT
        }
    }
}
