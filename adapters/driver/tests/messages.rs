//! What the compiler says to the two mistakes that most writers of a handler make.

use std::{env, fs, path::PathBuf, process::Command};

/// The compiled crate that this test was linked with, or another build of it.
fn libraries() -> (PathBuf, Vec<PathBuf>) {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    let files = fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut libraries: Vec<_> = files
        .filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy();
            name.starts_with("libmillpond-") && name.ends_with(".rlib")
        })
        .collect();
    libraries
        .sort_by_key(|file| std::cmp::Reverse(fs::metadata(file).unwrap().modified().unwrap()));
    (folder, libraries)
}

/// What is said of a server with this handler.
fn said_of(name: &str, handler: &str) -> String {
    let program = format!(
        "pub fn serve(runtime: std::sync::Arc<dyn millpond::Runtime>, motd: String) -> millpond::types::StartServer {{\n\
         let _ = &motd;\n\
         millpond::start_server(runtime, \"127.0.0.1:17\", {handler})\n}}\n"
    );
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join(name).with_extension("rs");
    fs::write(&source, program).unwrap();
    let (folder, libraries) = libraries();
    for library in libraries {
        let said = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "lib",
                "--emit",
                "metadata",
            ])
            .arg("--extern")
            .arg(format!("millpond={}", library.display()))
            .arg("-L")
            .arg(format!("dependency={}", folder.display()))
            .arg("--out-dir")
            .arg(scratch.path())
            .arg(&source)
            // Where the sources are that it shows.
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stderr).unwrap();
        // One that was left behind by another compiler, or whose own dependencies are gone.
        if !["E0514", "E0460", "E0463"]
            .iter()
            .any(|code| said.contains(code))
        {
            return said;
        }
    }
    panic!("no build of the crate can be used");
}

#[test]
fn a_handler_that_captures_nothing_compiles() {
    let said = said_of("plain", "async |_, mut writer| writer.write(b\"hello\")");
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn an_async_closure_that_captures_is_shown_where_to_put_its_state() {
    let said = said_of("captures", "async move |_, mut writer| writer.write(&motd)");
    assert!(
        said.contains("captures state from its environment"),
        "{said}"
    );
    assert!(
        said.contains("`start_server_with` takes what it captures"),
        "{said}"
    );
}

#[test]
fn a_result_without_a_type_is_shown_how_to_write_it() {
    let handler = "async |_, mut writer| { writer.write(b\"hello\")?; Ok(()) }";
    let said = said_of("untyped", handler);
    assert!(said.contains("type annotations needed"), "{said}");
    assert!(said.contains("Ok::<(), E>(())"), "{said}");
}

#[test]
fn a_handler_that_returns_something_else_is_told_what_it_may_return() {
    let said = said_of("other", "async |_, _| 5");
    assert!(
        said.contains("a handler cannot return `{integer}`"),
        "{said}"
    );
    assert!(
        said.contains("neither `()` nor a `Result<(), E>`"),
        "{said}"
    );
    assert!(said.contains("Ok::<(), std::io::Error>(())"), "{said}");
}
