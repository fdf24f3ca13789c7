//! What `docs/THREAT-MODEL.md` names as proof exists.
use std::path::Path;

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/THREAT-MODEL.md")).expect("the threat model");
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted.filter(|name| name.starts_with("tests/") || name.starts_with("src/")).collect();
    assert!(named.len() > 30, "only {} are named", named.len());
    for name in named {
        let (file, function) = name.split_once("::").map_or((name, None), |(file, function)| (file, Some(function)));
        let code = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        if let Some(function) = function {
            let found = ["fn ", "def "].iter().any(|word| code.contains(&format!("{word}{function}(")));
            assert!(found, "{file} has no test {function}");
        }
    }
}
