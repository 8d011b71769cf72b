use crate::{ClientId, Doc, Kind, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

#[test]
fn roots_that_nobody_asked_for_are_read_as_what_they_look_like() {
    let (mut one, mut two) = (doc(1), doc(2));
    assert!(!one.has_content());
    one.text_insert("text", 0, "x").unwrap();
    one.map_set("map", "k", &Value::Null).unwrap();
    let list = one.root(Kind::Array, "list").unwrap();
    one.array_push(&list, &[Value::Bool(true)]).unwrap();
    let xml = one.root(Kind::XmlFragment, "xml").unwrap();
    one.xml_insert_element(&xml, 0, "p").unwrap();
    two.apply_update(&one.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(two.root_names(), ["list", "map", "text", "xml"]);
    assert_eq!(two.root_kind("list"), Some(Kind::Array));
    assert_eq!(two.to_value(), one.to_value());
    let json = r#"{"list":[true],"map":{"k":null},"text":"x","xml":"<p></p>"}"#;
    assert_eq!(two.to_value().to_json(), json);
    assert_eq!(two.clients(), [(ClientId::from_random(1), 4)].into());
    assert!(two.has_content());
}
