//! `ophost describe`: what an operation takes and gives.

use crate::harness::Project;

#[test]
fn fields_are_shown_with_type_default_and_description() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["describe", "slugify"]), @r#"
    slugify  text

    Turns a text into a part of an address: `Salt & Pepper` becomes `salt-pepper`.

    Latin letters lose their accents; letters of other scripts stay as they are.

    plugin  text 0.1.0
    file    plugins/text.wasm
    digest  [DIGEST]
    tags    text, web

    Input
      text        string           required      The text, such as a title.
      separator   string           default "-"   What stands between two words.
      max_length  integer or null  default null  How many characters the slug may have. Words that do not fit are left out; the first is cut.

    Output
      slug  string  required  Letters and digits in lower case, with separators between words.
    "#);
}

#[test]
fn an_unknown_name_gets_the_nearest_one() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["describe", "slugfy"]), @"
    ---- stderr
    error: no operation is called `slugfy`
    hint: did you mean `slugify`?
    ---- exit 3
    ");
    insta::assert_snapshot!(project.run(&["describe", "something_else"]), @"
    ---- stderr
    error: no operation is called `something_else`
    hint: `ophost list` shows what there is
    ---- exit 3
    ");
}
