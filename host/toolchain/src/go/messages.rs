//! The hints for messages of Go.

/// Parts of messages, with the hint for each. The first match counts.
const HINTS: [(&[&str], &str); 7] = [
    (
        &["build constraints exclude all Go files"],
        "WebAssembly has no cgo: remove `import \"C\"`, or the module that needs it",
    ),
    (
        &["requires exactly one main package", "no Go files in"],
        "write `package main` in the directory of `go.mod`",
    ),
    (&["function main is undeclared"], "add `func main() {}`"),
    (
        &["replacement directory"],
        "set `replace ophost =>` in `go.mod` to the directory of the SDK for Go",
    ),
    (&["go.mod requires go >="], "install a newer Go, or lower the version in the line `go`"),
    (
        &["missing go.sum entry", "no required module provides", "updates to go.mod needed"],
        "run `go mod tidy` in the directory of the project",
    ),
    (
        &["module lookup disabled", "dial tcp", "proxyconnect", "TLS handshake", "i/o timeout"],
        "check the network and `go env GOPROXY`, or run `go mod vendor` where the module can be \
         downloaded",
    ),
];

/// Returns the hint for the messages of a build, or `None` if no fix is known.
pub(super) fn hint(messages: &str) -> Option<&'static str> {
    let is_match = |(parts, _): &&(&[&str], _)| parts.iter().any(|part| messages.contains(part));
    HINTS.iter().find(is_match).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Messages of Go 1.27.
    #[test]
    fn known_messages_have_a_hint() {
        for (message, expected) in [
            ("-buildmode=c-shared requires exactly one main package", "`package main`"),
            ("no Go files in /p", "`package main`"),
            (
                "# x\nruntime.main_main\u{b7}f: function main is undeclared in the main package",
                "`func main() {}`",
            ),
            ("package x: build constraints exclude all Go files in /p", "import \"C\""),
            ("go: go.mod requires go >= 1.99 (running go 1.27.3; GOTOOLCHAIN=local)", "newer Go"),
            (
                "a.go:2:8: ophost@v0.0.0: replacement directory ./sdk/go does not exist",
                "replace ophost",
            ),
            (
                "a.go:2:8: no required module provides package example.com/y; to add it:\n\tgo get \
                 example.com/y",
                "go mod tidy",
            ),
            (
                "go: downloading example.com/y v1.0.0\na.go:2:8: example.com/y@v1.0.0: Get \
                 \"https://example.com/y.zip\": dial tcp 192.0.2.1:443: connect: connection refused",
                "go env GOPROXY",
            ),
            ("a.go:2:8: module lookup disabled by GOPROXY=off", "go env GOPROXY"),
        ] {
            let hint = hint(message).unwrap_or_else(|| panic!("no hint for {message}"));
            assert!(hint.contains(expected), "{message}: {hint}");
        }
    }

    #[test]
    fn compile_error_needs_no_hint() {
        assert_eq!(hint("# x\n./a.go:2:22: undefined: y"), None);
    }
}
