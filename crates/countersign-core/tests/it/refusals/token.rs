//! What tokens are not let do, and which are not issued, exchanged or revoked.

use countersign_core::approval::{Ballot, Request};
use countersign_core::delegation::Delegate;
use countersign_core::id::{ApprovalId, PermitId, TokenId};
use countersign_core::token::{Exchange, Issue, MOST_SCOPES, Revoke};
use countersign_core::{Actor, Command, Subject};

use super::{Walk, ended, walk};
use crate::membership;
use crate::script::{approved, requested, reservation};
use crate::stage::{self, ANA, AUD, BEN, CHLOE, DAN, PAYOUT, ROTATE};
use crate::tokens::{
    ISSUE_ADMIN, ISSUE_DEPLOYER, PING, deployer, digest, exchange, governed, issue, made, noting, pinging,
    revoking, scopes, silent, thumbprint, under, with_deactivation,
};

pub(super) fn issue_token() -> Walk {
    let mut walk = walk();
    let wrong = || Issue { resource: "token/deployer".parse().unwrap(), ..issue(("deployer", 1, 900), &[]) };
    let with = |issue: Issue| Command::IssueToken(issue);
    walk.refused(Actor::Node, &with(wrong()), "token/token_misnamed");
    let nothing = || issue(("deployer", 1, 9_999), &[]);
    walk.refused(Actor::Node, &with(nothing()), "permit/not_a_person");
    walk.refused(ANA, &with(nothing()), "permit/no_rule");
    governed(&mut walk.book);
    walk.refused(BEN, &with(nothing()), "permit/not_an_executor");
    walk.refused(ANA, &with(issue(("admin", 1, 900), &[])), "permit/approval_required");
    let admin = |approval| under(issue(("admin", 1, 900), &["*:probe/*"]), approval);
    walk.refused(ANA, &admin(ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, PAYOUT);
    walk.refused(ANA, &admin(other), "permit/action_mismatch");
    ended(&mut walk, ISSUE_ADMIN, &admin);
    let id = requested(&mut walk.book, ISSUE_ADMIN);
    walk.refused(ANA, &admin(id), "permit/approval_pending");
    assert_eq!(ISSUE_DEPLOYER.split(' ').next(), Some("issue"));
    walk.refused(ANA, &with(nothing()), "token/token_without_scope");
    let many: Vec<String> = (0..=MOST_SCOPES).map(|number| format!("launch:rocket/r{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    walk.refused(ANA, &with(issue(("deployer", 1, 9_999), &many)), "token/token_too_wide");
    let first = deployer(&mut walk.book, (1, 900));
    for beyond in ["rotate:payout/limit", "override:payout/other", "*:payout/limit", "ping:probe/*"] {
        let wide = issue(("deployer", 1, 9_999), &["ping:probe/any", beyond]);
        walk.refused(ANA, &with(wide), "token/scope_not_offered");
    }
    walk.refused(
        ANA,
        &with(issue(("deployer", 1, 3_601), &["ping:probe/any"])),
        "token/token_lives_too_long",
    );
    walk.refused(ANA, &with(issue(("deployer", 1, 3_600), &["ping:probe/any"])), "token/token_in_use");
    let credential =
        Issue { token_sha256: stage::credential_of(BEN), ..issue(("deployer", 2, 900), &["ping:probe/any"]) };
    walk.refused(ANA, &with(credential), "token/token_in_use");
    walk.refused(
        Actor::Token(first),
        &with(issue(("deployer", 2, 900), &["ping:probe/any"])),
        "token/not_for_tokens",
    );
    walk.happens(ANA, &with(issue(("deployer", 2, 3_600), &["ping:probe/any"])));
    let id = approved(&mut walk.book, ISSUE_ADMIN);
    walk.happens(ANA, &under(issue(("admin", 3, 86_400), &["*:probe/*"]), id));
    walk.refused(ANA, &under(issue(("admin", 4, 900), &["*:probe/*"]), id), "permit/approval_consumed");
    offers_nothing(&mut walk);
    walk
}

/// A second rule that matches and offers nothing takes the offer away.
fn offers_nothing(walk: &mut Walk) {
    let id = approved(&mut walk.book, stage::ACTIVATE);
    walk.happens(ANA, &crate::script::activation(silent(), id));
    let token = issue(("deployer", 9, 900), &["ping:probe/any"]);
    walk.refused(ANA, &Command::IssueToken(token), "token/token_not_offered");
}

pub(super) fn exchange_token() -> Walk {
    let mut walk = walk();
    governed(&mut walk.book);
    let with = |exchange: Exchange| Command::ExchangeToken(exchange);
    walk.refused(Actor::Token(TokenId(9)), &with(exchange((1, 9_999), &[])), "token/token_ended");
    walk.refused(ANA, &with(exchange((1, 9_999), &[])), "token/not_a_token");
    let parent = deployer(&mut walk.book, (1, 900));
    let by = Actor::Token(parent);
    walk.refused(by, &with(exchange((1, 9_999), &[])), "token/token_without_scope");
    let elsewhere = Exchange {
        networks: ["11.0.0.0/8".parse().unwrap()].into(),
        ..exchange((1, 9_999), &["rotate:probe/any"])
    };
    walk.refused(by, &with(elsewhere.clone()), "token/scope_not_offered");
    let elsewhere = Exchange { scopes: scopes(&["ping:probe/any"]), ..elsewhere };
    walk.refused(by, &with(elsewhere), "token/network_not_within");
    walk.refused(by, &with(exchange((1, 901), &["ping:probe/any"])), "token/token_outlives_parent");
    bound_elsewhere(&mut walk);
    walk.refused(by, &with(exchange((1, 900), &["ping:probe/any"])), "token/token_in_use");
    let mut token = parent;
    for number in 2..6 {
        token =
            made(&walk.book.must(Actor::Token(token), &with(exchange((number, 900), &["ping:probe/any"]))));
        walk.book.commit();
    }
    walk.refused(
        Actor::Token(token),
        &with(exchange((6, 900), &["ping:probe/any"])),
        "token/token_exchanged_too_often",
    );
    walk
}

/// What is bound to a key stays bound to it.
fn bound_elsewhere(walk: &mut Walk) {
    let bound = Issue { cnf_jkt: Some(thumbprint(1)), ..issue(("deployer", 21, 900), &["ping:probe/any"]) };
    let by = Actor::Token(made(&walk.book.must(ANA, &Command::IssueToken(bound))));
    let other = Exchange { cnf_jkt: Some(thumbprint(2)), ..exchange((22, 901), &["ping:probe/any"]) };
    walk.refused(by, &Command::ExchangeToken(other), "token/token_needs_its_key");
    let same = Exchange { cnf_jkt: Some(thumbprint(1)), ..exchange((22, 900), &["ping:probe/any"]) };
    walk.happens(by, &Command::ExchangeToken(same));
}

pub(super) fn revoke_token() -> Walk {
    let mut walk = walk();
    governed(&mut walk.book);
    walk.refused(Actor::Node, &revoking(TokenId(9)), "token/token_not_found");
    let token = deployer(&mut walk.book, (1, 900));
    let other = deployer(&mut walk.book, (2, 900));
    let child = made(
        &walk
            .book
            .must(Actor::Token(token), &Command::ExchangeToken(exchange((3, 900), &["ping:probe/any"]))),
    );
    walk.refused(Actor::Node, &revoking(token), "permit/not_a_person");
    walk.refused(BEN, &revoking(token), "permit/not_an_executor");
    walk.refused(Actor::Token(other), &revoking(token), "token/token_not_yours");
    walk.refused(Actor::Token(child), &revoking(token), "token/token_not_yours");
    let unneeded = Command::RevokeToken(Revoke { token, under: Some((ApprovalId(9), stage::parameters())) });
    walk.refused(CHLOE, &unneeded, "permit/approval_not_found");
    walk.happens(CHLOE, &revoking(token));
    walk.refused(ANA, &revoking(token), "token/token_ended");
    walk.refused(Actor::Token(token), &revoking(token), "token/token_ended");
    walk.refused(Actor::Token(child), &revoking(child), "token/token_ended");
    walk.happens(Actor::Token(other), &revoking(other));
    let late = deployer(&mut walk.book, (4, 900));
    walk.book.commit();
    walk.book.now = walk.book.now.plus_seconds(900);
    walk.refused(ANA, &revoking(late), "token/token_ended");
    walk.happens(Actor::Node, &Command::Elapse(Subject::Token(late)));
    walk.refused(ANA, &revoking(late), "token/token_ended");
    walk
}

pub(super) fn note_use() -> Walk {
    let mut walk = walk();
    governed(&mut walk.book);
    let now = walk.book.now;
    walk.refused(ANA, &noting((TokenId(9), 0), now), "token/token_not_found");
    let token = deployer(&mut walk.book, (1, 900));
    walk.refused(ANA, &noting((token, 0), now.plus_seconds(900)), "token/token_ended");
    walk.refused(ANA, &noting((token, 0), now), "token/not_the_node");
    walk.happens(Actor::Node, &noting((token, 0), now));
    walk.happens(ANA, &revoking(token));
    walk.refused(Actor::Node, &noting((token, 0), now), "token/token_ended");
    walk
}

/// What a token is let do at all, in which scope, and for how long.
pub(super) fn act() -> Walk {
    let mut walk = walk();
    governed(&mut walk.book);
    let token = deployer(&mut walk.book, (1, 900));
    let by = Actor::Token(token);
    let asked = requested(&mut walk.book, PAYOUT);
    walk.refused(by, &Command::Approve(asked.into()), "token/tokens_never_vote");
    walk.refused(
        by,
        &Command::Approve(Ballot { on_behalf: Some(BEN), ..asked.into() }),
        "token/tokens_never_vote",
    );
    walk.refused(by, &Command::Deny(asked), "token/tokens_never_vote");
    walk.refused(by, &Command::RevokeVote(asked), "token/tokens_never_vote");
    let delegate = Delegate { to: AUD, from: None, until: walk.book.now.plus_seconds(60) };
    walk.refused(by, &Command::Delegate(delegate), "token/not_for_tokens");
    walk.refused(by, &membership::deactivating(BEN, None), "token/not_for_tokens");
    let ask = |action: &str| {
        Command::RequestApproval(Request {
            action: stage::action(action),
            parameters_sha256: stage::parameters(),
        })
    };
    walk.refused(by, &ask(ROTATE), "token/out_of_scope");
    walk.refused(by, &ask("override payout/limit staging"), "token/out_of_scope");
    walk.refused(by, &ask("deploy payout/limit production"), "token/out_of_scope");
    walk.refused(by, &reservation(ROTATE, None, &[]), "token/out_of_scope");
    walk.refused(by, &Command::StartPermit(PermitId(9)), "permit/permit_not_found");
    let of_dan = crate::script::reserved(&mut walk.book, (DAN, PING), None);
    walk.refused(by, &Command::StartPermit(of_dan), "permit/not_the_executor");
    // Whose token asked does not vote on it either.
    let id = match walk.book.must(by, &ask(PAYOUT))[0].fact.subject() {
        Subject::Approval(id) => id,
        other => panic!("{other:?}"),
    };
    walk.refused(ANA, &Command::Approve(id.into()), "approval/self_approval");
    let permit = pinging(&mut walk.book, token);
    let child =
        made(&walk.book.must(by, &Command::ExchangeToken(exchange((2, 60), &["override:payout/limit"]))));
    walk.refused(Actor::Token(child), &Command::StartPermit(permit), "token/out_of_scope");
    let other = deployer(&mut walk.book, (3, 900));
    walk.happens(Actor::Token(other), &Command::StartPermit(permit));
    walk.happens(ANA, &revoking(token));
    walk.refused(by, &ask(PAYOUT), "token/token_ended");
    walk.refused(Actor::Token(child), &ask(PAYOUT), "token/token_ended");
    assert_eq!(walk.book.whole.token_holder(&digest(1)), None);
    owner_goes(&mut walk, other);
    walk
}

/// Tokens end with their owner, and at their time.
fn owner_goes(walk: &mut Walk, of_ana: TokenId) {
    let id = approved(&mut walk.book, stage::ACTIVATE);
    walk.happens(ANA, &crate::script::activation(with_deactivation(), id));
    let issue = issue(("deployer", 7, 900), &["ping:probe/any"]);
    let of_dan = made(&walk.book.must(DAN, &Command::IssueToken(issue)));
    walk.book.commit();
    walk.happens(CHLOE, &membership::deactivating(DAN, None));
    walk.refused(Actor::Token(of_dan), &reservation(PING, None, &[]), "token/token_owner_gone");
    walk.book.now = walk.book.now.plus_seconds(900);
    walk.refused(Actor::Token(of_ana), &reservation(PING, None, &[]), "token/token_ended");
}
