//! The `OpenID` `AuthZEN` Authorization API 1.0: questions whether somebody could do something now.
//!
//! Fields that are not known are ignored, as that specification demands; everywhere else in the contract they are refused.
//! <https://openid.net/specs/authorization-api-1_0.html>

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::PersonRef;
use crate::problem::Missing;

/// Whether somebody could do something now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    /// Who.
    pub subject: Subject,
    /// What is to be done.
    pub action: NamedAction,
    /// To what.
    pub resource: Resource,
    /// Where, with which arguments, under which approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Circumstances>,
}

/// Who is to act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// `person`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `per_…`
    pub id: String,
    /// Taken and not used: what counts is what is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NamedAction {
    /// The verb: `rotate`.
    pub name: String,
    /// Taken and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
}

/// What something is to be done to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Resource {
    /// Before the stroke: `webhook-signing`.
    #[serde(rename = "type")]
    pub kind: String,
    /// After the stroke: `stripe`.
    pub id: String,
    /// Taken and not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
}

/// Where, with which arguments, under which approval. Other members are taken and not used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Circumstances {
    /// Where: `production`. Without it no rule applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// With which arguments; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// The approval that would be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The exceptions that would be used, from the freezes that hold the action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}

/// Several questions. Without `evaluations`, or with none in it, this is one [`Evaluation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluations {
    /// Who, in every question that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Value>,
    /// What is to be done, in every question that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Value>,
    /// To what, in every question that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Value>,
    /// Under which circumstances, in every question that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Value>,
    /// The questions, each an [`Evaluation`] with or without what the defaults say. At most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Map<String, Value>>,
    /// How they are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<EvaluationOptions>,
}

/// How several questions are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvaluationOptions {
    /// Where to stop.
    #[serde(default)]
    pub evaluations_semantic: Semantic,
}

/// Where to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Answer all.
    #[default]
    ExecuteAll,
    /// Stop after the first no.
    DenyOnFirstDeny,
    /// Stop after the first yes.
    PermitOnFirstPermit,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// Whether a permit could be reserved now.
    pub decision: bool,
    /// Why, and what would change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Reasons>,
}

/// Why an answer is what it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reasons {
    /// The rules that apply, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The stable code of the refusal: the same that `POST /admin/permits` would answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whose agreement is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Who could do it instead, where it is for other people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could: Vec<PersonRef>,
    /// A ready-made body for `POST /admin/approvals`, where an approval or an exception is what is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The question itself is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EvaluationError>,
}

/// What is wrong with one question among several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvaluationError {
    /// The status it would have had alone.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

/// The answers, in the order of the questions, up to where it was stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decisions {
    /// One answer each.
    pub evaluations: Vec<Decision>,
}

/// Where the questions are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Metadata {
    /// The node.
    pub policy_decision_point: String,
    /// Where one question is asked.
    pub access_evaluation_endpoint: String,
    /// Where several are.
    pub access_evaluations_endpoint: String,
}
