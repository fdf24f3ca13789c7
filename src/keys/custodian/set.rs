//! All custodians of a configuration, and what is done with them together.
use super::aws_kms::AwsKms;
use super::passphrase::Passphrase;
use super::pkcs11::Pkcs11;
use super::recipient::Recipient;
use super::vault_transit::VaultTransit;
use super::{Custodian, CustodianError, CustodianKind, CustodianName, CustodianSettings};
use crate::keys::envelope::{Envelope, Wrap, Wrapped};
use crate::keys::{KeyError, RootKey, RootSource};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// The longest that one custodian is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The custodians of a configuration. Cheap to clone.
#[derive(Clone, Default)]
pub struct Custodians(Arc<[Member]>);

struct Member {
    name: CustodianName,
    custodian: Box<dyn Custodian>,
}

/// What one custodian said about an envelope.
pub struct Answer {
    /// Its name.
    pub custodian: CustodianName,
    /// The root, or why not.
    pub root: Result<RootKey, CustodianError>,
}

/// What became of one part of an envelope.
#[derive(Debug)]
pub enum WrapChange {
    /// It was there and opens.
    Kept,
    /// It was there; whether it opens was not to be learned.
    Untried(CustodianError),
    /// It is new, or replaces one that did not open.
    Made,
    /// It was there, and the configuration has no such custodian.
    Foreign,
    /// It was taken out.
    Removed,
}

// === impl Custodians ===

impl Custodians {
    /// Builds what asks them; asks nobody.
    ///
    /// # Errors
    /// [`KeyError::Root`] when one cannot be built.
    pub fn new(settings: Vec<CustodianSettings>) -> Result<Self, KeyError> {
        let members = settings.into_iter().map(|CustodianSettings { name, kind }| {
            let failed = |e: String| KeyError::Root(format!("custodian {name}: {e}"));
            let custodian: Box<dyn Custodian> = match kind {
                CustodianKind::Passphrase(passphrase) => Box::new(Passphrase::new(passphrase)),
                CustodianKind::AwsKms(settings) => Box::new(AwsKms::new(settings).map_err(failed)?),
                CustodianKind::VaultTransit(settings) => Box::new(VaultTransit::new(settings).map_err(failed)?),
                CustodianKind::Pkcs11(settings) => Box::new(Pkcs11::new(settings)),
                CustodianKind::Recipient(recipient) => Box::new(Recipient::new(recipient)),
            };
            Ok(Member { name, custodian })
        });
        Ok(Self(members.collect::<Result<_, KeyError>>()?))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|member| member.name.as_str())
    }

    /// Loads a root from wherever it is. An envelope is shown to all custodians at once; the first that opens it is enough.
    ///
    /// # Errors
    /// As [`RootKey::load`] and [`Envelope::read`]; [`KeyError::Root`] with every custodian's reason when none opens.
    pub async fn load(&self, source: &RootSource) -> Result<RootKey, KeyError> {
        let RootSource::Envelope(path) = source else { return RootKey::load(source) };
        let envelope = Envelope::read(path)?;
        let mut asked: FuturesUnordered<_> = self.0.iter().map(|member| member.answer(&envelope)).collect();
        let mut reasons = Vec::new();
        while let Some(Answer { custodian, root }) = asked.next().await {
            match root {
                Ok(root) => {
                    tracing::info!(custodian, fingerprint = root.fingerprint(), "a custodian opened the root envelope");
                    return Ok(root);
                }
                Err(error) => reasons.push(format!("{custodian} {error}")),
            }
        }
        reasons.sort();
        let reasons = if reasons.is_empty() { "the configuration names none".to_owned() } else { reasons.join("; ") };
        let parts: Vec<_> = envelope.parts().map(|(name, kind, _)| format!("{name} ({kind})")).collect();
        Err(KeyError::Root(format!(
            "{}: no custodian opens it: {reasons}. It was wrapped for {}. Nothing can be read or written without the root: bring one of them back, or \
             take the root out of escrow (`strongroom root recover --identity FILE {} root.key`) and start with root = {{ file = \"root.key\" }}",
            path.display(),
            parts.join(", "),
            path.display()
        )))
    }

    /// What each of them says now, all asked at once.
    pub async fn ask(&self, envelope: &Envelope) -> Vec<Answer> {
        futures_util::future::join_all(self.0.iter().map(|member| member.answer(envelope))).await
    }

    /// Those who can be asked without anybody's private key.
    pub fn online(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|member| member.custodian.is_online()).map(|member| member.name.as_str())
    }

    /// An envelope of a root, for these custodians; none named: for all.
    ///
    /// # Errors
    /// [`KeyError::Root`] when one does not wrap it, a name is unknown, or none of them could open it at a start.
    pub async fn seal(&self, root: &RootKey, only: &[String]) -> Result<Envelope, KeyError> {
        if let Some(unknown) = only.iter().find(|name| self.names().all(|known| known != name.as_str())) {
            return Err(KeyError::Root(format!("the configuration has no custodian {unknown:?}")));
        }
        let mut wraps = Vec::new();
        for member in self.0.iter().filter(|member| only.is_empty() || only.contains(&member.name)) {
            wraps.push(Wrap::new(&member.name, member.wrap(root).await?));
        }
        let envelope = Envelope::new(root, wraps);
        self.refuse_unusable(&envelope)?;
        Ok(envelope)
    }

    /// The same root, wrapped for the custodians of today: parts that open are kept, what is missing or does not open is made anew, and parts of
    /// custodians that the configuration does not have are kept as well, unless they are named in `remove`. Every new part was opened again.
    ///
    /// # Errors
    /// [`KeyError::Root`] when a part that has to be made cannot be, or none would be left that opens at a start. Nothing is written here.
    pub async fn rewrap(
        &self,
        root: &RootKey,
        before: &Envelope,
        remove: &[String],
    ) -> Result<(Envelope, Vec<(CustodianName, WrapChange)>), KeyError> {
        before.confirm(root).map_err(|e| KeyError::Root(e.to_string()))?;
        if let Some(unknown) = remove.iter().find(|name| before.of(name).is_none()) {
            return Err(KeyError::Root(format!("the envelope has no part for {unknown:?}, so it cannot be removed")));
        }
        let (mut wraps, mut changes) = (Vec::new(), Vec::new());
        for wrap in &before.wraps {
            let name = &wrap.custodian;
            let change = match self.0.iter().find(|member| member.name == *name) {
                _ if remove.contains(name) => WrapChange::Removed,
                None => WrapChange::Foreign,
                Some(member) => match member.answer(before).await.root {
                    Ok(_) | Err(CustodianError::Offline) => WrapChange::Kept,
                    Err(error) if error.is_outage() => WrapChange::Untried(error),
                    Err(_) => {
                        wraps.push(Wrap::new(name, member.wrap(root).await?));
                        changes.push((name.clone(), WrapChange::Made));
                        continue;
                    }
                },
            };
            if !matches!(change, WrapChange::Removed) {
                wraps.push(wrap.clone());
            }
            changes.push((name.clone(), change));
        }
        for member in self.0.iter().filter(|member| before.of(&member.name).is_none()) {
            wraps.push(Wrap::new(&member.name, member.wrap(root).await?));
            changes.push((member.name.clone(), WrapChange::Made));
        }
        let after = Envelope::new(root, wraps);
        self.refuse_unusable(&after)?;
        let opens = |(_, change): &(String, WrapChange)| matches!(change, WrapChange::Kept | WrapChange::Made);
        let online: Vec<_> = self.online().collect();
        if !changes.iter().any(|change| opens(change) && online.contains(&change.0.as_str())) {
            return Err(KeyError::Root(
                "no custodian of the new envelope opens it now, so it was not written; try again when one answers"
                    .to_owned(),
            ));
        }
        Ok((after, changes))
    }

    /// A proxy could not start with such an envelope.
    fn refuse_unusable(&self, envelope: &Envelope) -> Result<(), KeyError> {
        if self.online().any(|name| envelope.of(name).is_some()) {
            return Ok(());
        }
        Err(KeyError::Root(
            "no custodian would be left that opens the envelope at a start: recipients open offline only, and others than those of the \
             configuration are unknown here"
                .to_owned(),
        ))
    }
}

// === impl Member ===

impl Member {
    async fn answer(&self, envelope: &Envelope) -> Answer {
        Answer { custodian: self.name.clone(), root: self.open(envelope).await }
    }

    async fn open(&self, envelope: &Envelope) -> Result<RootKey, CustodianError> {
        let wrapped = envelope.of(&self.name).ok_or(CustodianError::NotWrapped)?;
        let opening = self.custodian.unwrap(envelope.fingerprint(), wrapped);
        let root = tokio::time::timeout(PATIENCE, opening).await.map_err(|_| late())??;
        envelope.confirm(&root)?;
        Ok(root)
    }

    /// Wraps it and opens it again.
    async fn wrap(&self, root: &RootKey) -> Result<Wrapped, KeyError> {
        let failed = |e: CustodianError| KeyError::Root(format!("custodian {} {e}; nothing was written", self.name));
        let wrapped = tokio::time::timeout(PATIENCE, self.custodian.wrap(root)).await.map_err(|_| failed(late()))?;
        let wrapped = wrapped.map_err(failed)?;
        match self.open(&Envelope::new(root, vec![Wrap::new(&self.name, wrapped.clone())])).await {
            Ok(_) | Err(CustodianError::Offline) => Ok(wrapped),
            Err(error) => Err(failed(error)),
        }
    }
}

fn late() -> CustodianError {
    CustodianError::Silent(format!("no answer within {} seconds", PATIENCE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{SecretBytes, SecretText};

    const ESCROW: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn phrase(name: &str) -> CustodianSettings {
        let phrase = SecretText::new(format!("the passphrase of {name} is long"));
        CustodianSettings { name: name.to_owned(), kind: CustodianKind::Passphrase(phrase) }
    }

    fn escrow() -> CustodianSettings {
        CustodianSettings { name: "escrow".to_owned(), kind: CustodianKind::Recipient(ESCROW.to_owned()) }
    }

    fn custodians(settings: Vec<CustodianSettings>) -> Custodians {
        Custodians::new(settings).unwrap_or_else(|e| panic!("{e}"))
    }

    fn root() -> RootKey {
        RootKey(SecretBytes::new([7; 32]))
    }

    async fn sealed(custodians: &Custodians) -> Envelope {
        custodians.seal(&root(), &[]).await.unwrap_or_else(|e| panic!("{e}"))
    }

    fn names(envelope: &Envelope) -> Vec<&str> {
        envelope.parts().map(|(name, ..)| name).collect()
    }

    #[tokio::test]
    async fn any_one_custodian_opens_the_file_and_none_says_why_and_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("root.envelope");
        sealed(&custodians(vec![phrase("a"), phrase("b"), escrow()])).await.write(&path, false).expect("written");
        let source = RootSource::Envelope(path);
        for name in ["a", "b"] {
            let root = custodians(vec![phrase(name)]).load(&source).await;
            assert_eq!(root.map(|root| root.fingerprint()).ok(), Some(super::tests::root().fingerprint()), "{name}");
        }
        let other = CustodianSettings { name: "a".to_owned(), ..phrase("b") };
        let refused = custodians(vec![other, escrow(), phrase("c")]).load(&source).await.err().map(|e| e.to_string());
        let refused = refused.unwrap_or_default();
        for part in
            ["a cannot open its part", "c has no part", "escrow opens offline only", "root recover", "b (passphrase)"]
        {
            assert!(refused.contains(part), "{part}: {refused}");
        }
        assert!(Custodians::default().load(&source).await.is_err());
        assert!(RootKey::load(&source).is_err());
    }

    #[tokio::test]
    async fn custodians_come_and_go_and_the_root_stays() {
        let (a, b) = (custodians(vec![phrase("a")]), custodians(vec![phrase("a"), phrase("b"), escrow()]));
        let first = sealed(&a).await;
        let (second, changes) = b.rewrap(&root(), &first, &[]).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(names(&second), ["a", "b", "escrow"]);
        assert!(
            matches!(changes[..], [(_, WrapChange::Kept), (_, WrapChange::Made), (_, WrapChange::Made)]),
            "{changes:?}"
        );
        assert_eq!(second.of("a"), first.of("a"), "what opens is left as it is");
        let only_b = custodians(vec![phrase("b")]);
        let (third, changes) =
            only_b.rewrap(&root(), &second, &["a".to_owned()]).await.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(names(&third), ["b", "escrow"], "escrow is in no configuration, and stays");
        assert!(matches!(changes[..], [(_, WrapChange::Removed), (_, WrapChange::Kept), (_, WrapChange::Foreign)]));
        assert_eq!(third.fingerprint(), first.fingerprint());
    }

    #[tokio::test]
    async fn a_part_that_does_not_open_any_more_is_made_anew() {
        let before = sealed(&custodians(vec![phrase("a"), phrase("b")])).await;
        let changed = CustodianSettings { name: "a".to_owned(), ..phrase("another one") };
        let after = custodians(vec![changed, phrase("b")]);
        let (envelope, changes) = after.rewrap(&root(), &before, &[]).await.unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(changes[..], [(_, WrapChange::Made), (_, WrapChange::Kept)]), "{changes:?}");
        assert!(after.ask(&envelope).await.iter().all(|answer| answer.root.is_ok()));
    }

    #[tokio::test]
    async fn an_envelope_that_no_start_could_open_is_not_made() {
        assert!(custodians(vec![escrow()]).seal(&root(), &[]).await.is_err());
        let both = custodians(vec![phrase("a"), escrow()]);
        assert!(both.seal(&root(), &["escrow".to_owned()]).await.is_err());
        assert!(both.seal(&root(), &["none".to_owned()]).await.is_err());
        let envelope = sealed(&both).await;
        assert!(both.rewrap(&root(), &envelope, &["a".to_owned()]).await.is_err());
        assert!(both.rewrap(&root(), &envelope, &["none".to_owned()]).await.is_err());
        let other = RootKey(SecretBytes::new([8; 32]));
        assert!(both.rewrap(&other, &envelope, &[]).await.is_err(), "rewrapping never changes the root");
    }
}
