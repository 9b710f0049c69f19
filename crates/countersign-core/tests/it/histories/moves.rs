//! What can happen in a random history, and how often.

use countersign_core::Actor;
use countersign_core::id::PersonId;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::stage::{ACTIONS, ANA, AUD, BEN, CHLOE, DAN, EXCEPT_FRIDAY, EXCEPT_HOLIDAYS};

/// Who acts: usually somebody who may.
fn who() -> impl Strategy<Value = Actor> {
    let anybody = (1..=7_u128).prop_map(|number| Actor::Person(PersonId(number)));
    prop_oneof![6 => Just(Actor::Person(ANA)), 6 => anybody, 1 => Just(Actor::Node)]
}

fn person() -> impl Strategy<Value = PersonId> {
    (1..=7_u128).prop_map(PersonId)
}

/// What becomes of a task the runner attempts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Succeeds,
    Fails,
    /// The runner dies before it reports.
    IsLost,
    /// A success is reported for an attempt before the last.
    SucceedsLate,
    /// Somebody reports who is not the runner.
    IsInvented,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Succeeds), 3 => Just(Fate::Fails), 1 => Just(Fate::IsLost),
        1 => Just(Fate::SucceedsLate), 1 => Just(Fate::IsInvented),
    ]
}

/// About where it is enough, for an account, a network and others.
fn failures() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0_u32, 1, 19, 20, 49, 50, 499, 500])
}

#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Time passes, milliseconds.
    Wait(i64),
    /// Time passes up to the next deadline exactly.
    WaitForDeadline,
    /// The batch ends here.
    Commit,
    Claim(PersonId),
    Request(Actor, usize),
    /// With a comment or without.
    Approve(Actor, Index, bool),
    Deny(Actor, Index),
    Withdraw(Actor, Index),
    /// In whose place.
    ApproveFor(Actor, Index, PersonId),
    Revoke(Actor, Index),
    /// To whom, from and until so many seconds from now.
    Delegate(Actor, PersonId, u32, u32),
    EndDelegation(Actor),
    /// Under a policy that tells others, nobody votes.
    NobodyVotes,
    /// Chloe agrees, and takes it back.
    TakeBack,
    /// Ben lets Aud agree in his place.
    BenIsAway,
    /// With which approval, if any, for its own action or another, with its own parameters or others.
    Reserve(Actor, Option<Index>, Option<usize>, bool),
    /// What `Reserve` does for its own action, with so many exceptions from freezes.
    Pass(Actor, Option<Index>, Vec<Index>),
    /// The policy with freezes comes into force with everybody's agreement, and one of these moments comes.
    Freeze(&'static str),
    /// Somebody asks for an exception, from which freeze, and whether Chloe agrees.
    Except(Actor, &'static str, bool),
    /// A payout within a freeze, under an exception, and another one under the same.
    PassTwice,
    /// Two accounts of one human agree to a payout.
    TwoAccounts,
    StartPermit(Actor, Index),
    ReleasePermit(Actor, Index),
    Finish(Actor, Index, bool),
    Beat(Actor, Index),
    /// A permit that must give signs of life, with everything up to it, and the first of them.
    Drum,
    Reconcile(Actor, Index, bool),
    /// The node names its key for permit documents, by number.
    NamePermitKey(Actor, usize),
    StartRotation(Actor, Index, u32),
    Abort(Actor, Index),
    /// The runner performs one thing that is due.
    Perform(Index, Fate),
    /// The runner performs what is due, several times, pausing for milliseconds.
    Work(u8, i64, Fate),
    Elapse(Index),
    Activate(Actor, Index, usize),
    /// The log's key is replaced, by its number and that of the next, as far as whoever moves believes.
    RotateLogKey(Actor, Index, usize, usize),
    /// The log's key is replaced with everybody's agreement.
    HandOver,
    /// The policy that is wary of payouts comes into force with everybody's agreement, and Ben says no to one.
    BeWary,
    /// Acts without anybody's consent, having signed so many milliseconds ago.
    BreakGlass(Actor, i64),
    /// The same, with everything up to a voting key.
    BreakGlassProperly(PersonId),
    /// The same, and once more when nobody has reviewed that in time.
    BreakGlassAgain,
    Review(Actor, Index, bool),
    /// Of which entries, under which approval.
    Redact(Actor, Index, Vec<Index>),
    /// The same, with everything up to an approval of it, in one go.
    RedactProperly(Vec<Index>),
    /// The policy that takes signed votes, then a voting key, whose and by its number, all with everybody's agreement.
    EnrollKey(PersonId, u8),
    /// The policy under which people come and go, and an invitation, all with everybody's agreement; whether it is claimed.
    Invite(PersonId, u8, bool),
    Deactivate(Actor, PersonId),
    /// Somebody signs in by a passkey of this number, having added it if they must; whether in the place of their last session.
    SignIn(PersonId, u8, bool),
    /// Who is invited claims by a passkey.
    ClaimByPasskey(PersonId, u8),
    /// Two people agree to a payout that wants fresh votes, having stepped up for that request or for another.
    AgreeFreshly(bool),
    /// The policy that takes passwords; by one, by a recovery code or by a provider, with everything up to it. So many steps ahead.
    SignInOtherwise(PersonId, u8, i64),
    /// By which session.
    SetPassword(Index, bool),
    RenewCodes(Index),
    Link(Index, bool),
    /// By which session.
    HandOn(Index),
    StepUp(Index, u8),
    AddPasskey(Index, u8),
    RemovePasskey(Index, u8),
    SignOut(Index),
    /// By somebody who is not there by it.
    EndSession(Actor, Index),
    Extend(Index),
    /// The policy that offers tokens, and one, for so many seconds.
    IssueToken(u32),
    /// The policy that recognises workloads, and the token of one: which, good for how long, with the right claims or not.
    ExchangeWorkload(u32, i64, bool),
    /// By which token, for how many seconds.
    Exchange(Index, u32),
    RevokeToken(Actor, Index),
    /// Who says it, of which token, of how many seconds.
    NoteUse(Actor, Index, u32),
    /// Somebody's token does what its owner could.
    ByToken(Index, Box<Move>),
    /// A vote signed with a key.
    Sign(Actor, Index, (PersonId, u8)),
    /// The request under which others revoke it, if any, is any of those there are.
    RevokeKey(Actor, (PersonId, u8), Option<Index>),
    /// Everything up to a reserved permit, in one go.
    Prepare(usize),
    /// Everything up to a rotation under way.
    Rotate,
    /// The node counts what somebody was refused.
    Note(PersonId),
    /// Somebody writes a census down.
    Census(Actor),
    /// The node says that the witness was lost, or that it is back.
    Witness(Actor, bool),
    /// Sign-ins failed: of whom, or else from a network or others; how often; and whether somebody got in.
    Failures(Actor, Option<u128>, u32, bool),
}

/// Before any freeze, within that of a Friday, that over the end of the year, both, and neither again.
pub(super) const WEATHER: [&str; 5] = [
    "2026-11-27T16:59:59Z",
    "2026-11-27T20:00:00Z",
    "2026-12-24T12:00:00Z",
    "2026-12-25T20:00:00Z",
    "2027-01-12T12:00:00Z",
];

fn entries() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 1..4)
}

/// One of few keys, so that they are met again.
fn key() -> impl Strategy<Value = (PersonId, u8)> {
    (prop::sample::select(vec![BEN, CHLOE]), 0..4_u8)
}

/// What a token may try.
fn by_token() -> impl Strategy<Value = Move> {
    let index = any::<Index>;
    let somebody = || Just(Actor::Node);
    prop_oneof![
        3 => (somebody(), 0..ACTIONS.len()).prop_map(|(who, action)| Move::Request(who, action)),
        1 => (somebody(), index(), any::<bool>()).prop_map(|(who, nth, said)| Move::Approve(who, nth, said)),
        1 => (somebody(), index()).prop_map(|(who, nth)| Move::Withdraw(who, nth)),
        4 => (somebody(), prop::option::weighted(0.5, index()))
            .prop_map(|(who, approval)| Move::Reserve(who, approval, None, true)),
        3 => (somebody(), index()).prop_map(|(who, nth)| Move::StartPermit(who, nth)),
        1 => (somebody(), index()).prop_map(|(who, nth)| Move::ReleasePermit(who, nth)),
        2 => (somebody(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Finish(who, nth, good)),
        1 => (somebody(), index(), 4..8_u32).prop_map(|(who, nth, by)| Move::StartRotation(who, nth, by)),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of what can happen")]
fn a_move() -> impl Strategy<Value = Move> {
    let index = any::<Index>;
    let action = || 0..ACTIONS.len();
    let time = prop::sample::select(vec![0_i64, 1, 250, 1_000, 5_000, 20_000, 60_000, 599_999, 600_000]);
    prop_oneof![
        3 => time.prop_map(Move::Wait),
        2 => Just(Move::WaitForDeadline),
        6 => Just(Move::Commit),
        1 => (1..=7_u128).prop_map(|number| Move::Claim(PersonId(number))),
        4 => (who(), action()).prop_map(|(who, action)| Move::Request(who, action)),
        8 => (who(), index(), any::<bool>()).prop_map(|(who, nth, commented)| Move::Approve(who, nth, commented)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Deny(who, nth)),
        1 => (who(), index()).prop_map(|(who, nth)| Move::Withdraw(who, nth)),
        2 => (who(), index(), person()).prop_map(|(who, nth, whose)| Move::ApproveFor(who, nth, whose)),
        2 => index().prop_map(|nth| Move::ApproveFor(Actor::Person(AUD), nth, BEN)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Revoke(who, nth)),
        1 => (who(), person(), 0..3_u32, prop::sample::select(vec![1_u32, 60, 3_600]))
            .prop_map(|(who, to, from, until)| Move::Delegate(who, to, from * 60, until)),
        1 => who().prop_map(Move::EndDelegation),
        2 => Just(Move::BenIsAway),
        1 => Just(Move::NobodyVotes),
        1 => Just(Move::TakeBack),
        6 => (who(), prop::option::weighted(0.9, index()), prop::option::weighted(0.1, action()), prop::bool::weighted(0.9))
            .prop_map(|(who, approval, action, own)| Move::Reserve(who, approval, action, own)),
        2 => (who(), prop::option::of(index()), prop::collection::vec(index(), 1..3))
            .prop_map(|(who, approval, exceptions)| Move::Pass(who, approval, exceptions)),
        1 => prop::sample::select(WEATHER.to_vec()).prop_map(Move::Freeze),
        2 => (who(), prop::sample::select(vec![EXCEPT_FRIDAY, EXCEPT_HOLIDAYS]), any::<bool>())
            .prop_map(|(who, from, agreed)| Move::Except(who, from, agreed)),
        1 => Just(Move::PassTwice),
        1 => Just(Move::TwoAccounts),
        4 => (who(), index()).prop_map(|(who, nth)| Move::StartPermit(who, nth)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::ReleasePermit(who, nth)),
        4 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Finish(who, nth, good)),
        2 => (who(), index()).prop_map(|(who, nth)| Move::Beat(who, nth)),
        1 => Just(Move::Drum),
        3 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Reconcile(who, nth, good)),
        1 => (who(), 0..3_usize).prop_map(|(who, number)| Move::NamePermitKey(who, number)),
        4 => (who(), index(), 4..8_u32).prop_map(|(who, nth, overlap)| Move::StartRotation(who, nth, overlap)),
        3 => (who(), index()).prop_map(|(who, nth)| Move::Abort(who, nth)),
        6 => (index(), fate()).prop_map(|(nth, fate)| Move::Perform(nth, fate)),
        5 => (1..24_u8, prop::sample::select(vec![250_i64, 1_000, 5_000]), fate())
            .prop_map(|(rounds, pause, fate)| Move::Work(rounds, pause, fate)),
        2 => index().prop_map(Move::Elapse),
        2 => (who(), index(), 0..6_usize).prop_map(|(who, nth, policy)| Move::Activate(who, nth, policy)),
        1 => (who(), index(), 0..3_usize, 0..4_usize)
            .prop_map(|(who, nth, old, new)| Move::RotateLogKey(who, nth, old, new)),
        1 => Just(Move::HandOver),
        1 => Just(Move::BeWary),
        1 => (who(), prop::sample::select(vec![0_i64, 0, 0, 1, -1, 300_000, 300_001]))
            .prop_map(|(who, ago)| Move::BreakGlass(who, ago)),
        2 => prop::sample::select(vec![ANA, DAN]).prop_map(Move::BreakGlassProperly),
        1 => Just(Move::BreakGlassAgain),
        5 => (who(), index(), any::<bool>()).prop_map(|(who, nth, good)| Move::Review(who, nth, good)),
        1 => (who(), index(), entries()).prop_map(|(who, nth, of)| Move::Redact(who, nth, of)),
        2 => entries().prop_map(Move::RedactProperly),
        1 => key().prop_map(|(person, number)| Move::EnrollKey(person, number)),
        1 => (7..=8_u128, 0..3_u8, any::<bool>())
            .prop_map(|(person, number, claimed)| Move::Invite(PersonId(person), number, claimed)),
        1 => (1..=8_u128).prop_map(|number| Move::Deactivate(Actor::Person(CHLOE), PersonId(number))),
        1 => (who(), 1..=8_u128).prop_map(|(who, number)| Move::Deactivate(who, PersonId(number))),
        3 => (1..=8_u128, 0..4_u8, any::<bool>())
            .prop_map(|(person, number, replaces)| Move::SignIn(PersonId(person), number, replaces)),
        1 => (7..=8_u128, 0..4_u8).prop_map(|(person, number)| Move::ClaimByPasskey(PersonId(person), number)),
        2 => prop::bool::weighted(0.7).prop_map(Move::AgreeFreshly),
        3 => (1..=6_u128, 0..3_u8, -3..4_i64)
            .prop_map(|(person, how, ahead)| Move::SignInOtherwise(PersonId(person), how, ahead)),
        2 => (index(), any::<bool>()).prop_map(|(nth, sets)| Move::SetPassword(nth, sets)),
        1 => index().prop_map(Move::RenewCodes),
        2 => (index(), any::<bool>()).prop_map(|(nth, links)| Move::Link(nth, links)),
        1 => index().prop_map(Move::HandOn),
        1 => (index(), 0..4_u8).prop_map(|(nth, number)| Move::StepUp(nth, number)),
        1 => (index(), 0..4_u8).prop_map(|(nth, number)| Move::AddPasskey(nth, number)),
        1 => (index(), 0..4_u8).prop_map(|(nth, number)| Move::RemovePasskey(nth, number)),
        1 => index().prop_map(Move::SignOut),
        1 => (who(), index()).prop_map(|(who, nth)| Move::EndSession(who, nth)),
        2 => index().prop_map(Move::Extend),
        2 => prop::sample::select(vec![1_u32, 900, 3_600, 3_601]).prop_map(Move::IssueToken),
        2 => (0..4_u32, prop::sample::select(vec![-61_i64, -59, 0, 3_600, 86_400, 86_401]), prop::bool::weighted(0.8))
            .prop_map(|(job, seconds, right)| Move::ExchangeWorkload(job, seconds, right)),
        1 => (index(), prop::sample::select(vec![1_u32, 60, 900])).prop_map(|(nth, by)| Move::Exchange(nth, by)),
        1 => (who(), index()).prop_map(|(who, nth)| Move::RevokeToken(who, nth)),
        3 => (prop_oneof![4 => Just(Actor::Node), 1 => who()], index(), 0..90_u32)
            .prop_map(|(who, nth, seconds)| Move::NoteUse(who, nth, seconds)),
        4 => (index(), by_token()).prop_map(|(nth, it)| Move::ByToken(nth, Box::new(it))),
        4 => (who(), index(), key()).prop_map(|(who, nth, key)| Move::Sign(who, nth, key)),
        2 => (key(), index()).prop_map(|(key, nth)| Move::Sign(Actor::Person(key.0), nth, key)),
        1 => (who(), key(), prop::option::of(index())).prop_map(|(who, key, nth)| Move::RevokeKey(who, key, nth)),
        1 => key().prop_map(|key| Move::RevokeKey(Actor::Person(key.0), key, None)),
        3 => (0..2_usize).prop_map(Move::Prepare),
        5 => Just(Move::Rotate),
        1 => (1..=7_u128).prop_map(|number| Move::Note(PersonId(number))),
        1 => prop_oneof![Just(Actor::Node), who()].prop_map(Move::Census),
        1 => (prop_oneof![9 => Just(Actor::Node), 1 => who()], any::<bool>())
            .prop_map(|(who, is_lost)| Move::Witness(who, is_lost)),
        4 => (prop_oneof![9 => Just(Actor::Node), 1 => who()], prop::option::of(0..=7_u128), failures(), any::<bool>())
            .prop_map(|(who, whose, count, got_in)| Move::Failures(who, whose, count, got_in)),
    ]
}

pub(super) fn histories() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(a_move(), 1..80)
}
