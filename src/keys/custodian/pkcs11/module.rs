//! A vendor's library: loaded once in a process and never unloaded, initialised once at a time, and used by one caller at a time.
use super::verdict::verdict;
use crate::keys::CustodianError;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// By path, links resolved: the same library is the same for all custodians.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Mutex<Module>>>> = Mutex::new(BTreeMap::new());

/// A loaded library.
pub(super) struct Module {
    library: Pkcs11,
    is_ready: bool,
}

// === impl Module ===

impl Module {
    /// The library at a path, which is loaded when nobody has yet.
    pub(super) fn of(path: &Path) -> Result<Arc<Mutex<Self>>, CustodianError> {
        let unusable = |what: String| CustodianError::Silent(format!("its module {}: {what}", path.display()));
        let real = path.canonicalize().map_err(|e| unusable(e.to_string()))?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(&real) {
            return Ok(module.clone());
        }
        let library = Pkcs11::new(&real).map_err(|e| unusable(e.to_string()))?;
        let module = Arc::new(Mutex::new(Self { library, is_ready: false }));
        modules.insert(real, module.clone());
        Ok(module)
    }

    /// The library, initialised.
    pub(super) fn ready(&mut self) -> Result<&Pkcs11, CustodianError> {
        if !self.is_ready {
            match self.library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
                Err(error) => return Err(verdict(&error)),
            }
            self.is_ready = true;
        }
        Ok(&self.library)
    }

    /// Lets go of everything until it is needed again; the library stays loaded.
    pub(super) fn rest(&mut self) {
        if std::mem::take(&mut self.is_ready)
            && let Err(error) = self.library.clone().finalize()
        {
            tracing::debug!(%error, "a PKCS#11 module does not end its work");
        }
    }
}
