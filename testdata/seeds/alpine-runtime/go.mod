module example.com/main

go 1.25

// The post builds in the root folder, where go mod tidy looks into everything.
ignore (
	./go
	./proc
	./root
	./sys
	./usr
)
