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

/// What the compiler prints for a server with this handler.
fn printed_for(name: &str, handler: &str) -> String {
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
        let printed = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
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
        let printed = String::from_utf8(printed.stderr).unwrap();
        // One that was left behind by another compiler, or whose own dependencies are gone.
        if !["E0514", "E0460", "E0463"]
            .iter()
            .any(|code| printed.contains(code))
        {
            return printed;
        }
    }
    panic!("no build of the crate can be used");
}

#[test]
fn a_handler_that_captures_nothing_compiles() {
    let printed = printed_for("plain", "async |_, mut writer| writer.write(b\"hello\")");
    assert!(!printed.contains("error"), "{printed}");
}

#[test]
fn an_async_closure_that_captures_is_shown_where_to_put_its_state() {
    let printed = printed_for("captures", "async move |_, mut writer| writer.write(&motd)");
    assert!(
        printed.contains("captures state from its environment"),
        "{printed}"
    );
    assert!(
        printed.contains("`start_server_with` takes what it captures"),
        "{printed}"
    );
}

#[test]
fn a_result_without_a_type_is_shown_how_to_write_it() {
    let handler = "async |_, mut writer| { writer.write(b\"hello\")?; Ok(()) }";
    let printed = printed_for("untyped", handler);
    assert!(printed.contains("type annotations needed"), "{printed}");
    assert!(printed.contains("Ok::<(), E>(())"), "{printed}");
}

#[test]
fn the_message_for_a_handler_that_returns_something_else_says_what_it_may_return() {
    let printed = printed_for("other", "async |_, _| 5");
    assert!(
        printed.contains("a handler cannot return `{integer}`"),
        "{printed}"
    );
    assert!(
        printed.contains("neither `()` nor a `Result<(), E>`"),
        "{printed}"
    );
    assert!(
        printed.contains("Ok::<(), std::io::Error>(())"),
        "{printed}"
    );
}
