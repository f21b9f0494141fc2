# SYNTAX TEST "source.dockerfile" "extensions as comments"

# syntax=stagecraft/dockerfile:1
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~------------------------------- comment.line.number-sign.dockerfile
#+ LOCK
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^ keyword.other.special-method.stagecraft
#+ IMPORT ./build/go.Dockerfile AS go
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^^ keyword.control.import.stagecraft
#         ^^^^^^^^^^^^^^^^^^^^^ string.unquoted.path.stagecraft
#                               ^^ keyword.other.special-method.stagecraft
#                                  ^^ entity.name.namespace.stagecraft
#+ MOUNT cache type=cache,target=/root/.cache
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^ keyword.other.special-method.stagecraft
#        ^^^^^ entity.name.type.mount.stagecraft
#              ^^^^ variable.parameter.mount.stagecraft
#                  ^ keyword.operator.assignment.stagecraft
#                        ^ punctuation.separator.stagecraft
#                         ^^^^^^ variable.parameter.mount.stagecraft
#                               ^ keyword.operator.assignment.stagecraft
#+ LET EXT = TARGETOS == "windows"
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^ keyword.other.special-method.stagecraft
#      ^^^ variable.other.constant.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#            ^^^^^^^^ variable.other.readwrite.stagecraft
#                     ^^ keyword.operator.stagecraft
#                        ^^^^^^^^^ string.quoted.double.stagecraft
#+ IF DEBUG
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^ keyword.control.conditional.stagecraft
#     ^^^^^ variable.other.readwrite.stagecraft
FROM alpine AS build
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#           ^^ keyword.other.special-method.dockerfile
#             ^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#+ ELSE IF DISTRO == "debian"
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^ keyword.control.conditional.stagecraft
#       ^^ keyword.control.conditional.stagecraft
#          ^^^^^^ variable.other.readwrite.stagecraft
#                 ^^ keyword.operator.stagecraft
#                    ^^^^^^^^ string.quoted.double.stagecraft
FROM debian AS build
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#           ^^ keyword.other.special-method.dockerfile
#             ^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
  #+ ELSE
# ^^ punctuation.definition.comment.extension.stagecraft
#    ^^^^ keyword.control.conditional.stagecraft
FROM scratch AS build
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#            ^^ keyword.other.special-method.dockerfile
#              ^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#+ END
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^ keyword.control.conditional.stagecraft
#+ --after=test,lint --max-size=20MB
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^^^ entity.other.attribute-name.flag.stagecraft
#         ^ keyword.operator.assignment.stagecraft
#          ^^^^ entity.name.function.stage.stagecraft
#              ^ punctuation.separator.stagecraft
#               ^^^^ entity.name.function.stage.stagecraft
#                    ^^^^^^^^^^ entity.other.attribute-name.flag.stagecraft
#                              ^ keyword.operator.assignment.stagecraft
#                               ^^ constant.numeric.stagecraft
#                                 ^^ keyword.other.unit.stagecraft
FROM build
# <---- keyword.other.special-method.dockerfile
#   ^^^^^^ meta.from.stagecraft - entity.name.function.stage.stagecraft string.unquoted.image.stagecraft
#+--if=DEBUG
# <-- punctuation.definition.comment.extension.stagecraft
# ^^^^ entity.other.attribute-name.flag.stagecraft
#     ^ keyword.operator.assignment.stagecraft
#      ^^^^^ variable.other.readwrite.stagecraft
RUN echo
# <--- keyword.other.special-method.dockerfile
#+ --from=build(TEXT=hello)
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^^ entity.other.attribute-name.flag.stagecraft
#        ^ keyword.operator.assignment.stagecraft
#         ^^^^^ entity.name.function.stage.stagecraft
#              ^ punctuation.section.arguments.begin.stagecraft
#               ^^^^ variable.parameter.binding.stagecraft
#                   ^ keyword.operator.assignment.stagecraft
#                    ^^^^^ string.unquoted.value.stagecraft
#                         ^ punctuation.section.arguments.end.stagecraft
# --from=build(TEXT=hello)
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~------------------------- comment.line.number-sign.dockerfile
#+ --chmod=644
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^^^^^^^ meta.extension.comment.stagecraft
COPY --from=build /note /note
# <---- keyword.other.special-method.dockerfile
#    ^^^^^^ entity.other.attribute-name.flag.stagecraft
#          ^ keyword.operator.assignment.stagecraft
#           ^^^^^ entity.name.function.stage.stagecraft
#+ UNSET WORKDIR
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^ keyword.other.special-method.stagecraft
#        ^^^^^^^ keyword.other.special-method.dockerfile
#+ ENV --from=build VERSION
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^ keyword.other.special-method.dockerfile
#      ^^^^^^ entity.other.attribute-name.flag.stagecraft
#            ^ keyword.operator.assignment.stagecraft
#             ^^^^^ entity.name.function.stage.stagecraft
#                  ^^^^^^^^ meta.extension.comment.stagecraft
#+ LABEL --from=build --file=/labels
# <-- punctuation.definition.comment.extension.stagecraft
#  ^^^^^ keyword.other.special-method.dockerfile
#        ^^^^^^ entity.other.attribute-name.flag.stagecraft
#              ^ keyword.operator.assignment.stagecraft
#               ^^^^^ entity.name.function.stage.stagecraft
#                     ^^^^^^ entity.other.attribute-name.flag.stagecraft
#                           ^ keyword.operator.assignment.stagecraft
#                            ^^^^^^^ string.unquoted.value.stagecraft
RUN set -eux; \
# <--- keyword.other.special-method.dockerfile
    #+ IF DEBUG
#   ^^ punctuation.definition.comment.extension.stagecraft
#      ^^ keyword.control.conditional.stagecraft
#         ^^^^^ variable.other.readwrite.stagecraft
    apk add gdb; \
    #+ END
#   ^^ punctuation.definition.comment.extension.stagecraft
#      ^^^ keyword.control.conditional.stagecraft
    make install
#+-----+
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~------- comment.line.number-sign.dockerfile
#+ Mount the volume
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~------------------ comment.line.number-sign.dockerfile
#+ if DEBUG
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~---------- comment.line.number-sign.dockerfile
#+END
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~---- comment.line.number-sign.dockerfile
#+ ENDING
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~-------- comment.line.number-sign.dockerfile
#+ ENV A=b
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~--------- comment.line.number-sign.dockerfile
#+ FROM alpine
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~------------- comment.line.number-sign.dockerfile
# + IF DEBUG
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~----------- comment.line.number-sign.dockerfile
# IF DEBUG
# <- comment.line.number-sign.dockerfile punctuation.definition.comment.dockerfile
# <~--------- comment.line.number-sign.dockerfile

