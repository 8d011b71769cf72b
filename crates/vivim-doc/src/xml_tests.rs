use crate::{Attributes, ClientId, Doc, EditError, Entry, Kind, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

#[test]
fn elements_and_texts_are_inserted_read_and_deleted() {
    let mut doc = doc(1);
    let root = doc.root(Kind::XmlFragment, "x").unwrap();
    let p = doc.xml_insert_element(&root, 0, "P").unwrap();
    let text = doc.xml_insert_text(&p, 0).unwrap();
    let br = doc.xml_insert_element(&p, 1, "br").unwrap();
    doc.text_insert_at(&text, 0, "hello").unwrap();
    let bold: Attributes = [("b".to_owned(), Value::Map([].into()))].into();
    doc.text_format(&text, 0, 2, &bold).unwrap();
    doc.xml_set_attribute(&p, "class", &Value::String("c".into())).unwrap();
    doc.xml_set_attribute(&p, "align", &Value::String("left".into())).unwrap();
    let xml = r#"<p align="left" class="c"><b>he</b>llo<br></br></p>"#;
    assert_eq!(doc.xml_string(&root).unwrap(), xml);
    assert_eq!(doc.type_value(&root).unwrap(), Value::String(xml.to_owned()));
    assert_eq!(doc.xml_name(&p).unwrap(), "P");
    assert_eq!(doc.xml_len(&p).unwrap(), 2);
    assert_eq!(doc.xml_get(&p, 1).unwrap(), Some((Kind::XmlElement, br.clone())));
    assert_eq!(doc.xml_get(&p, 2).unwrap(), None);
    assert_eq!(
        doc.xml_children(&p).unwrap(),
        [(Kind::XmlText, text.clone()), (Kind::XmlElement, br)]
    );
    assert_eq!(doc.parent(&text).unwrap(), Some(p.clone()));
    let class = Entry::Value(Value::String("c".into()));
    assert_eq!(doc.xml_attribute(&p, "class").unwrap(), Some(class.clone()));
    assert!(doc.xml_remove_attribute(&p, "align").unwrap());
    assert_eq!(doc.xml_attributes(&p).unwrap(), [("class".to_owned(), class)]);
    doc.xml_delete(&p, 0, 1).unwrap();
    assert!(!doc.exists(&text));
    let error = Err(EditError::OutOfBounds { position: 2, len: 1 });
    assert_eq!(doc.xml_insert_text(&p, 2).map(drop), error);
    assert_eq!(doc.xml_delete(&p, 1, 1), error);
    assert_eq!(doc.array_len(&p), Err(EditError::WrongKind));
}

#[test]
fn a_plain_text_among_the_children_is_written_as_its_text() {
    let mut ours = doc(1);
    let list = ours.root(Kind::Array, "x").unwrap();
    let text = ours.array_insert_type(&list, 0, Kind::Text).unwrap();
    ours.text_insert_at(&text, 0, "e👋f").unwrap();
    let mut theirs = doc(2);
    theirs.apply_update(&ours.encode_state_as_update(None).unwrap()).unwrap();
    let fragment = theirs.root(Kind::XmlFragment, "x").unwrap();
    assert_eq!(theirs.xml_string(&fragment).unwrap(), "e👋f");
}
