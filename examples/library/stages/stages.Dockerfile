FROM scratch AS layout
COPY <<EOF /layout.html
<title>@TITLE@</title>
@BODY@
EOF

# site renders the pages of a project with the layout of this library. The
# pages come from the importer's build context, so import it with --context=.
FROM busybox AS site
# TITLE stands in each page
ARG TITLE=Untitled
COPY pages /pages
COPY --from=layout /layout.html /layout.html
RUN mkdir /site && for page in /pages/*.txt; do \
      sed -e "s/@TITLE@/$TITLE/" -e "/@BODY@/r $page" -e "/@BODY@/d" /layout.html > /site/$(basename $page .txt).html; \
    done
