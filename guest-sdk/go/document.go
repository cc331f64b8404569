package ophost

// Document makes a struct that embeds it a model of documents:
//
//	type Job struct {
//		ophost.Document
//		Title string `json:"title"`
//	}
//
// The other fields are the content of the document.
type Document struct {
	// ID is the id in the collection. Insert creates one if it is empty.
	ID string `json:"-"`
	// Revision increases with every commit. It is 0 for a document that this run has written.
	Revision uint64 `json:"-"`
	// loaded is the stored content when the document was read. Empty if it was not read.
	loaded string
}

func (d *Document) document() *Document {
	return d
}

// Model is a pointer to a struct T that embeds [Document].
type Model[T any] interface {
	*T
	document() *Document
}
