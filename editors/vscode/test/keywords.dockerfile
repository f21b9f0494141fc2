# SYNTAX TEST "source.dockerfile" "extensions as keywords"

ARG --required --oneof=alpine,debian DISTRO=alpine
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#              ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#                     ^ keyword.operator.assignment.stagecraft
#                      ^^^^^^ string.unquoted.value.stagecraft
#                            ^ punctuation.separator.stagecraft
#                             ^^^^^^ string.unquoted.value.stagecraft
ARG --global TEAM=platform
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^^ entity.other.attribute-name.flag.stagecraft
IMPORT ./build/go.Dockerfile AS go
# <------ keyword.control.import.stagecraft
#      ^^^^^^^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                            ^^ keyword.other.special-method.stagecraft
#                               ^^ entity.name.namespace.stagecraft
IMPORT --from=https://github.com/acme/stages.git#v1.4.0 --arg=VERSION go.Dockerfile AS go2
# <------ keyword.control.import.stagecraft
#      ^^^^^^ entity.other.attribute-name.flag.stagecraft
#            ^ keyword.operator.assignment.stagecraft
#             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ string.unquoted.value.stagecraft
#                                                       ^^^^^ entity.other.attribute-name.flag.stagecraft
#                                                            ^ keyword.operator.assignment.stagecraft
#                                                             ^^^^^^^ string.unquoted.value.stagecraft
#                                                                     ^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                                                                                   ^^ keyword.other.special-method.stagecraft
#                                                                                      ^^^ entity.name.namespace.stagecraft
IMPORT --if=DEBUG ./versions.json AS versions
# <------ keyword.control.import.stagecraft
#      ^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^ variable.other.readwrite.stagecraft
#                 ^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                                 ^^ keyword.other.special-method.stagecraft
#                                    ^^^^^^^^ entity.name.namespace.stagecraft
MOUNT gocache type=cache,target=/root/.cache/go-build
# <----- keyword.other.special-method.stagecraft
#     ^^^^^^^ entity.name.type.mount.stagecraft
#             ^^^^ variable.parameter.mount.stagecraft
#                 ^ keyword.operator.assignment.stagecraft
#                       ^ punctuation.separator.stagecraft
#                        ^^^^^^ variable.parameter.mount.stagecraft
#                              ^ keyword.operator.assignment.stagecraft
LOCK
# <---- keyword.other.special-method.stagecraft
LOCK ./deploy/app.lock
# <---- keyword.other.special-method.stagecraft
#    ^^^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
LET RELEASE = {"8": "jdk8u502"}[JAVA]
# <--- keyword.other.special-method.stagecraft
#   ^^^^^^^ variable.other.constant.stagecraft
#           ^ keyword.operator.assignment.stagecraft
#              ^^^ string.quoted.double.stagecraft
#                 ^ keyword.operator.stagecraft
#                   ^^^^^^^^^^ string.quoted.double.stagecraft
#                               ^^^^ variable.other.readwrite.stagecraft
IF DISTRO == "alpine"
# <-- keyword.control.conditional.stagecraft
#  ^^^^^^ variable.other.readwrite.stagecraft
#         ^^ keyword.operator.stagecraft
#            ^^^^^^^^ string.quoted.double.stagecraft
FROM alpine:3.22 AS base
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                ^^ keyword.other.special-method.dockerfile
#                  ^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
ELSE IF not DEBUG
# <---- keyword.control.conditional.stagecraft
#    ^^ keyword.control.conditional.stagecraft
#       ^^^ keyword.operator.word.stagecraft
#           ^^^^^ variable.other.readwrite.stagecraft
FROM --reset=ENV,LABEL --squash --max-size=20.5MB debian AS base
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#           ^ keyword.operator.assignment.stagecraft
#            ^^^^^^^^^ constant.other.stagecraft
#                      ^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#                               ^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#                                         ^ keyword.operator.assignment.stagecraft
#                                          ^^^^ constant.numeric.stagecraft
#                                              ^^ keyword.other.unit.stagecraft
#                                                ^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                                                        ^^ keyword.other.special-method.dockerfile
#                                                          ^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
ELSE
# <---- keyword.control.conditional.stagecraft
FROM --reset scratch AS base
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#           ^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                    ^^ keyword.other.special-method.dockerfile
#                      ^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
END
# <--- keyword.control.conditional.stagecraft
FROM --bake=tags=acme/api:$VERSION base AS app
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^^^^^^^^^^ string.unquoted.value.stagecraft
#                         ^^^^^^^^ variable.other.stagecraft
#                                 ^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                                       ^^ keyword.other.special-method.dockerfile
#                                         ^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
UNSET ENV DEBUG
# <----- keyword.other.special-method.stagecraft
#     ^^^ keyword.other.special-method.dockerfile
UNSET LABEL com.acme.*
# <----- keyword.other.special-method.stagecraft
#     ^^^^^ keyword.other.special-method.dockerfile
#                    ^ keyword.operator.wildcard.stagecraft
UNSET ENTRYPOINT
# <----- keyword.other.special-method.stagecraft
#     ^^^^^^^^^^ keyword.other.special-method.dockerfile
COPY --if-exists --chown=1:1 a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
COPY --needed --from=base /usr/bin/tool /usr/bin/tool
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#             ^^^^^^ entity.other.attribute-name.flag.stagecraft
#                   ^ keyword.operator.assignment.stagecraft
#                    ^^^^ entity.name.function.stage.stagecraft
RUN --no-cache --mount=gocache,go.src echo --if=x
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#              ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#                     ^ keyword.operator.assignment.stagecraft
#                      ^^^^^^^ entity.name.type.mount.stagecraft
#                             ^ punctuation.separator.stagecraft
#                              ^^ entity.name.namespace.stagecraft
#                                ^ punctuation.accessor.stagecraft
#                                 ^^^ entity.name.type.mount.stagecraft
#                                     ^^^^^^^^^^^ source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft
ENV --if=DEBUG LEVEL=trace
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^^^^^ variable.other.readwrite.stagecraft
ONBUILD --if=DEBUG RUN echo
# <------- keyword.control.dockerfile
#       ^^^^ entity.other.attribute-name.flag.stagecraft
#           ^ keyword.operator.assignment.stagecraft
#            ^^^^^ variable.other.readwrite.stagecraft
#                  ^^^ keyword.other.special-method.dockerfile
ONBUILD COPY --if-exists a b
# <------- keyword.control.dockerfile
#       ^^^^ keyword.other.special-method.dockerfile
#            ^^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
RUN --if=DEBUG \
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^^^^^ variable.other.readwrite.stagecraft
#              ^ constant.character.escape.line-continuation.stagecraft
    # a comment between the lines
# <--------------------------------- comment.line.number-sign.dockerfile
    --no-cache \
#   ^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#              ^ constant.character.escape.line-continuation.stagecraft
    echo --no-cache
#   ^^^^^^^^^^^^^^^ source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft
RUN if true; then \
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^^^^^^ source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft
if DEBUG \
# <---------- source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft
else \
# <------ source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft
    import x; end
# <----------------- source.dockerfile - entity.other.attribute-name.flag.stagecraft keyword.control.conditional.stagecraft keyword.control.import.stagecraft meta.expression.stagecraft

RUN sh -c "\
IF DEBUG \
# <---------- string.quoted.double.dockerfile - keyword.control.conditional.stagecraft
"
