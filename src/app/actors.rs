//! Callers who are users of their own at the sites: the sites as them.
use crate::identity::{Credentials, Principal, SiteUser};
use crate::secret::SecretText;
use crate::site::{SiteCredential, SiteError, SiteName, Sites};
use std::collections::HashMap;
use std::sync::Arc;

/// The sites as one caller, by their access key id.
pub type Actor = (Arc<str>, Sites);

/// What the credentials file says of a caller does not fit the sites.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActorError {
    /// No such site.
    #[error("the credential {name:?} says who it is at {site:?}, which is no [[site]] of the configuration")]
    Unknown { name: String, site: String },
    /// Not every site.
    #[error(
        "the credential {name:?} has no [credential.at.{site}]: whoever is a user of their own at one site has to be one at every site, \
         or that site would do for them, as the proxy, what the others forbid them"
    )]
    Missing { name: String, site: SiteName },
}

/// Everybody who is a user of their own at the sites.
///
/// # Errors
/// When somebody is one at some sites only, or at a site that there is not.
pub fn actors(credentials: &Credentials, sites: &Sites) -> Result<Vec<Actor>, ActorError> {
    credentials.site_users().map(|(who, at)| Ok((who.access_key_id.clone(), acting(who, at, sites)?))).collect()
}

fn acting(who: &Principal, at: &[SiteUser], sites: &Sites) -> Result<Sites, ActorError> {
    let mut own = HashMap::with_capacity(at.len());
    for user in at {
        let site = SiteName(user.site.as_str().into());
        if sites.by_name(&site).is_none() {
            return Err(ActorError::Unknown { name: who.name.to_string(), site: user.site.clone() });
        }
        let secret_access_key = SecretText::new(user.secret_access_key.expose().to_owned());
        own.insert(site, SiteCredential { access_key_id: user.access_key_id.clone(), secret_access_key });
    }
    sites.acting_as(own).map_err(|site| ActorError::Missing { name: who.name.to_string(), site })
}

/// Every site's answer to each of them, by the credential's name. Who they are there is learned by it.
pub async fn greet(credentials: &Credentials, actors: &[Actor]) -> Vec<(String, SiteName, Result<(), SiteError>)> {
    let everywhere = actors.iter().flat_map(|(id, sites)| sites.all().map(move |site| (id, site)));
    let asked = everywhere.map(|(id, site)| async move {
        let name = credentials.principal(id).map(|who| who.name.to_string()).unwrap_or_default();
        (name, site.name().clone(), site.list_buckets().await.map(drop))
    });
    futures_util::future::join_all(asked).await
}

/// The same; a credential that is not taken is told of before a client meets it.
pub(super) async fn look(credentials: &Credentials, actors: &[Actor]) {
    for (credential, site, answer) in greet(credentials, actors).await {
        match answer {
            Ok(()) => {}
            Err(error) if error.is_outage() => {
                tracing::warn!(credential, %site, %error, "a caller's own credential cannot be tried at a site now");
            }
            Err(error) => tracing::warn!(credential, %site, %error, "a site does not take a caller's own credential"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::build_sites;
    use crate::identity::Credential;
    use crate::site::{SiteConfig, Unobserved};
    use std::time::Duration;

    fn sites() -> Sites {
        let site = |name: &str| SiteConfig {
            name: SiteName(name.into()),
            endpoint: "http://127.0.0.1:1".to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "SITE".to_owned(),
            secret_access_key: SecretText::new("secret".to_owned()),
            ca_pem: None,
            bucket_prefix: String::new(),
            connect_timeout: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(1),
            max_idle_connections: 1,
        };
        build_sites(site("primary"), vec![site("backup")], Arc::new(Unobserved)).expect("sites")
    }

    fn outcome(at: &[&str]) -> Result<Vec<Actor>, ActorError> {
        let user = |site: &&str| SiteUser {
            site: (*site).to_owned(),
            access_key_id: "AK".to_owned(),
            secret_access_key: SecretText::new("SK".to_owned()),
        };
        let erp =
            Credential { at: at.iter().map(user).collect(), ..Credential::generate("erp").expect("a credential") };
        let other = Credential::generate("other").expect("a credential");
        actors(&Credentials::new(vec![erp, other]).expect("credentials"), &sites())
    }

    #[tokio::test]
    async fn whoever_is_somebody_at_one_site_is_somebody_at_every_site() {
        let both = outcome(&["primary", "backup"]).expect("actors");
        assert_eq!(both.len(), 1);
        assert!(both[0].1.all().all(crate::site::Site::is_acting));
        assert_eq!(outcome(&[]).expect("nobody").len(), 0);
        let missing = outcome(&["primary"]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(missing.contains("\"erp\"") && missing.contains("[credential.at.backup]"), "{missing}");
        let unknown = outcome(&["primary", "backup", "moon"]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(unknown.contains("\"moon\""), "{unknown}");
    }
}
