//! How a proxy is asked to move an object to the newest version of its vault key, and how it answers: a CopyObject of the object onto
//! itself with these headers. It is ours alone; no S3 server knows it.

/// Asks for it: a [`Wish`].
pub const WISH: &str = "x-strongroom-rewrap";
/// Only if the object is under the key of this name.
pub const ONLY: &str = "x-strongroom-rewrap-key";
/// Answers: a [`Fate`].
pub const FATE: &str = "x-strongroom-rewrapped";
/// Answers what the object was under: `NAME/VERSION`.
pub const FROM: &str = "x-strongroom-rewrapped-from";
/// Answers how many bytes went between the proxy and all sites for this object.
pub const MOVED: &str = "x-strongroom-rewrapped-bytes";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Only say whether there is anything to do.
    Look,
    /// The newest version.
    Newest,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is under the newest version already.
    Current,
    /// It is under an older version (a look).
    Due,
    /// It is under the newest version now, at every site.
    Done,
    /// A site has not got what the others have: nothing was done.
    Behind,
    /// It is under another key than the one in question.
    Other,
}

// === impl Wish ===

impl Wish {
    /// The value of [`WISH`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Newest => "newest",
        }
    }

    /// Back from its name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Look, Self::Newest].into_iter().find(|wish| wish.name() == name)
    }
}

// === impl Fate ===

impl Fate {
    /// The value of [`FATE`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Due => "due",
            Self::Done => "done",
            Self::Behind => "behind",
            Self::Other => "other",
        }
    }

    /// Back from its name.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Current, Self::Due, Self::Done, Self::Behind, Self::Other];
        all.into_iter().find(|fate| fate.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for wish in [Wish::Look, Wish::Newest] {
            assert_eq!(Wish::of(wish.name()), Some(wish));
        }
        for fate in [Fate::Current, Fate::Due, Fate::Done, Fate::Behind, Fate::Other] {
            assert_eq!(Fate::of(fate.name()), Some(fate));
        }
        assert_eq!((Wish::of("Newest"), Fate::of("")), (None, None));
    }
}
