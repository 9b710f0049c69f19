//! The token endpoint as OAuth has it: token exchange (RFC 8693) and what the server says of itself (RFC 8414).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The only grant: token exchange.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A token of an issuer that is not ours: a signed JSON Web Token.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The same, where its issuer calls it an ID token.
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// A service token.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A request for a service token, as a form. Parameters that are not known are ignored, as OAuth demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeRequest {
    /// `urn:ietf:params:oauth:grant-type:token-exchange`
    pub grant_type: String,
    /// What is exchanged.
    pub subject_token: String,
    /// What that is: `urn:ietf:params:oauth:token-type:jwt` (or `…:id_token`) of a configured issuer, or `…:access_token` for a service
    /// token.
    pub subject_token_type: String,
    /// What the service token may do, with spaces between: `deploy:release/nudgepay`. Everything that is offered unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The workload of the policy as which the token is exchanged; needed where it is recognised as several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_token_type: Option<String>,
    /// How long the service token lives, seconds; as long as it may unless given. Not of OAuth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_seconds: Option<u32>,
}

/// A service token, told this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenResponse {
    /// The service token. It is on record as SHA-256 only, and nobody can tell it again.
    pub access_token: String,
    /// `urn:ietf:params:oauth:token-type:access_token`
    pub issued_token_type: String,
    /// `Bearer`, or `DPoP` where the request came with a proof: whoever uses the token then proves the same key, each time.
    pub token_type: String,
    /// How long it lives, seconds.
    pub expires_in: u64,
    /// What it may do, with spaces between.
    pub scope: String,
    /// By what it is listed and revoked: `tok_…`. Not of OAuth.
    pub id: String,
}

impl core::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("id", &self.id)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Why there is none (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenError {
    /// `invalid_request`, `invalid_scope`, `invalid_target`, `unsupported_grant_type`, `invalid_client`, `temporarily_unavailable`
    pub error: String,
    /// In words, in plain ASCII.
    pub error_description: String,
    /// The stable code, as in every problem. Not of OAuth.
    pub code: String,
    /// What would be right. Not of OAuth.
    pub hint: String,
}

/// What the server says of itself (RFC 8414).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerMetadata {
    /// The node.
    pub issuer: String,
    /// Where tokens are exchanged.
    pub token_endpoint: String,
    /// None: nobody is sent anywhere.
    pub response_types_supported: Vec<String>,
    /// Token exchange.
    pub grant_types_supported: Vec<String>,
    /// `none`: what is exchanged says who asks.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How proofs of possession may be signed (RFC 9449).
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// The contract.
    pub service_documentation: String,
}
