# SYNTAX TEST "source.dockerfile" "calls, sets, members and files"

FROM build(PKG=./cmd/worker) AS worker
# <---- keyword.other.special-method.dockerfile
#    ^^^^^ entity.name.function.stage.stagecraft
#         ^ punctuation.section.arguments.begin.stagecraft
#          ^^^ variable.parameter.binding.stagecraft
#             ^ keyword.operator.assignment.stagecraft
#              ^^^^^^^^^^^^ string.unquoted.value.stagecraft
#                          ^ punctuation.section.arguments.end.stagecraft
#                            ^^ keyword.other.special-method.dockerfile
#                              ^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM --platform=$BUILDPLATFORM go.build(A=1) AS a
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#               ^^^^^^^^^^^^^^ variable.other.stagecraft
#                              ^^ entity.name.namespace.stagecraft
#                                ^ punctuation.accessor.stagecraft
#                                 ^^^^^ entity.name.function.stage.stagecraft
#                                      ^ punctuation.section.arguments.begin.stagecraft
#                                       ^ variable.parameter.binding.stagecraft
#                                        ^ keyword.operator.assignment.stagecraft
#                                         ^ string.unquoted.value.stagecraft
#                                          ^ punctuation.section.arguments.end.stagecraft
#                                            ^^ keyword.other.special-method.dockerfile
#                                              ^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM ./build/os.Dockerfile#certificates AS b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                         ^ punctuation.accessor.stagecraft
#                          ^^^^^^^^^^^^ entity.name.function.stage.stagecraft
#                                       ^^ keyword.other.special-method.dockerfile
#                                         ^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM go.build AS c
# <---- keyword.other.special-method.dockerfile
#    ^^ entity.name.namespace.stagecraft
#      ^ punctuation.accessor.stagecraft
#       ^^^^^ entity.name.function.stage.stagecraft
#             ^^ keyword.other.special-method.dockerfile
#               ^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM golang:1.26 AS d
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                ^^ keyword.other.special-method.dockerfile
#                  ^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM registry.example.com/acme/app AS e
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#                                  ^^ keyword.other.special-method.dockerfile
#                                    ^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
FROM --after=test(GO=[1.25,"1.26"]),lint --with=python,go.node(NODE=24) scratch
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#           ^ keyword.operator.assignment.stagecraft
#            ^^^^ entity.name.function.stage.stagecraft
#                ^ punctuation.section.arguments.begin.stagecraft
#                 ^^ variable.parameter.binding.stagecraft
#                   ^ keyword.operator.assignment.stagecraft
#                    ^ punctuation.definition.set.begin.stagecraft
#                     ^^^^ string.unquoted.value.stagecraft
#                         ^ punctuation.separator.stagecraft
#                          ^^^^^^ string.quoted.double.stagecraft
#                                ^ punctuation.definition.set.end.stagecraft
#                                 ^ punctuation.section.arguments.end.stagecraft
#                                  ^ punctuation.separator.stagecraft
#                                   ^^^^ entity.name.function.stage.stagecraft
#                                        ^^^^^^ entity.other.attribute-name.flag.stagecraft
#                                              ^ keyword.operator.assignment.stagecraft
#                                               ^^^^^^ entity.name.function.stage.stagecraft
#                                                     ^ punctuation.separator.stagecraft
#                                                      ^^ entity.name.namespace.stagecraft
#                                                        ^ punctuation.accessor.stagecraft
#                                                         ^^^^ entity.name.function.stage.stagecraft
#                                                             ^ punctuation.section.arguments.begin.stagecraft
#                                                              ^^^^ variable.parameter.binding.stagecraft
#                                                                  ^ keyword.operator.assignment.stagecraft
#                                                                   ^^ string.unquoted.value.stagecraft
#                                                                     ^ punctuation.section.arguments.end.stagecraft
#                                                                      ^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
COPY --from=build(TARGETPLATFORM=[*],PKG=[$LIST,${X:-y}]) /out/app /app
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^ entity.name.function.stage.stagecraft
#                ^ punctuation.section.arguments.begin.stagecraft
#                 ^^^^^^^^^^^^^^ variable.parameter.binding.stagecraft
#                               ^ keyword.operator.assignment.stagecraft
#                                ^ punctuation.definition.set.begin.stagecraft
#                                 ^ constant.language.wildcard.stagecraft
#                                  ^ punctuation.definition.set.end.stagecraft
#                                   ^ punctuation.separator.stagecraft
#                                    ^^^ variable.parameter.binding.stagecraft
#                                       ^ keyword.operator.assignment.stagecraft
#                                        ^ punctuation.definition.set.begin.stagecraft
#                                         ^^^^^ variable.other.stagecraft
#                                              ^ punctuation.separator.stagecraft
#                                               ^^^^^^^ variable.other.stagecraft
#                                                      ^ punctuation.definition.set.end.stagecraft
#                                                       ^ punctuation.section.arguments.end.stagecraft
COPY --from=./build/go.Dockerfile#build(PKG=x) a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^^^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                                ^ punctuation.accessor.stagecraft
#                                 ^^^^^ entity.name.function.stage.stagecraft
#                                      ^ punctuation.section.arguments.begin.stagecraft
#                                       ^^^ variable.parameter.binding.stagecraft
#                                          ^ keyword.operator.assignment.stagecraft
#                                           ^ string.unquoted.value.stagecraft
#                                            ^ punctuation.section.arguments.end.stagecraft
COPY --from=go.build a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^ entity.name.namespace.stagecraft
#             ^ punctuation.accessor.stagecraft
#              ^^^^^ entity.name.function.stage.stagecraft
COPY --from=$FLAVOUR a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^^^^ variable.other.stagecraft
COPY --from=golang:1.26-alpine a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^^^^^^^^^^^^^^ string.unquoted.image.stagecraft
COPY --from=build(TAGS="netgo debug",A='b c') a b
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^ entity.name.function.stage.stagecraft
#                ^ punctuation.section.arguments.begin.stagecraft
#                 ^^^^ variable.parameter.binding.stagecraft
#                     ^ keyword.operator.assignment.stagecraft
#                      ^^^^^^^^^^^^^ string.quoted.double.stagecraft
#                                   ^ punctuation.separator.stagecraft
#                                    ^ variable.parameter.binding.stagecraft
#                                     ^ keyword.operator.assignment.stagecraft
#                                      ^^^^^ string.quoted.single.stagecraft
#                                           ^ punctuation.section.arguments.end.stagecraft
COPY --from="note( \
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#            ^^^^ entity.name.function.stage.stagecraft
#                ^ punctuation.section.arguments.begin.stagecraft
#                  ^ constant.character.escape.line-continuation.stagecraft
    TEXT=\"$REGISTRY, by us\", B='x y' \
#   ^^^^ variable.parameter.binding.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^^^^^^^^^^^^^^^^^^^^ string.quoted.double.stagecraft
#                            ^ punctuation.separator.stagecraft
#                              ^ variable.parameter.binding.stagecraft
#                               ^ keyword.operator.assignment.stagecraft
#                                ^^^^^ string.quoted.double.stagecraft
#                                      ^ constant.character.escape.line-continuation.stagecraft
  )" /note /note
# ^ punctuation.section.arguments.end.stagecraft
COPY --from='note(A="b c", B=2)' /note /note
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#            ^^^^ entity.name.function.stage.stagecraft
#                ^ punctuation.section.arguments.begin.stagecraft
#                 ^ variable.parameter.binding.stagecraft
#                  ^ keyword.operator.assignment.stagecraft
#                   ^^^^^ string.quoted.double.stagecraft
#                        ^ punctuation.separator.stagecraft
#                          ^ variable.parameter.binding.stagecraft
#                           ^ keyword.operator.assignment.stagecraft
#                            ^ string.unquoted.value.stagecraft
#                             ^ punctuation.section.arguments.end.stagecraft
RUN --mount=from=build(PKG=./cmd/api,TAGS=debug),source=/out,target=/out /out/app
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^ variable.parameter.mount.stagecraft
#               ^ keyword.operator.assignment.stagecraft
#                ^^^^^ entity.name.function.stage.stagecraft
#                     ^ punctuation.section.arguments.begin.stagecraft
#                      ^^^ variable.parameter.binding.stagecraft
#                         ^ keyword.operator.assignment.stagecraft
#                          ^^^^^^^^^ string.unquoted.value.stagecraft
#                                   ^ punctuation.separator.stagecraft
#                                    ^^^^ variable.parameter.binding.stagecraft
#                                        ^ keyword.operator.assignment.stagecraft
#                                         ^^^^^ string.unquoted.value.stagecraft
#                                              ^ punctuation.section.arguments.end.stagecraft
#                                               ^ punctuation.separator.stagecraft
#                                                ^^^^^^ variable.parameter.mount.stagecraft
#                                                      ^ keyword.operator.assignment.stagecraft
#                                                           ^ punctuation.separator.stagecraft
#                                                            ^^^^^^ variable.parameter.mount.stagecraft
#                                                                  ^ keyword.operator.assignment.stagecraft
RUN --mount=type=cache,target=/root/.cache,from=base make
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^ variable.parameter.mount.stagecraft
#               ^ keyword.operator.assignment.stagecraft
#                     ^ punctuation.separator.stagecraft
#                      ^^^^^^ variable.parameter.mount.stagecraft
#                            ^ keyword.operator.assignment.stagecraft
#                                         ^ punctuation.separator.stagecraft
#                                          ^^^^ variable.parameter.mount.stagecraft
#                                              ^ keyword.operator.assignment.stagecraft
#                                               ^^^^ entity.name.function.stage.stagecraft
ADD --from=build(A=1) /out/app.tar /
# <--- keyword.other.special-method.dockerfile
#   ^^^^^^ entity.other.attribute-name.flag.stagecraft
#         ^ keyword.operator.assignment.stagecraft
#          ^^^^^ entity.name.function.stage.stagecraft
#               ^ punctuation.section.arguments.begin.stagecraft
#                ^ variable.parameter.binding.stagecraft
#                 ^ keyword.operator.assignment.stagecraft
#                  ^ string.unquoted.value.stagecraft
#                   ^ punctuation.section.arguments.end.stagecraft

