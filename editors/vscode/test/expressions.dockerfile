# SYNTAX TEST "source.dockerfile" "conditions and computed values"

RUN --if='TARGETARCH == "arm64" && not DEBUG' make
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^ punctuation.definition.expression.begin.stagecraft
#         ^^^^^^^^^^ variable.other.readwrite.stagecraft
#                    ^^ keyword.operator.stagecraft
#                       ^^^^^^^ string.quoted.double.stagecraft
#                               ^^ keyword.operator.stagecraft
#                                  ^^^ keyword.operator.word.stagecraft
#                                      ^^^^^ variable.other.readwrite.stagecraft
#                                           ^ punctuation.definition.expression.end.stagecraft
RUN --if="A == \"x\" || 'y' in LIST" make
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^ punctuation.definition.expression.begin.stagecraft
#         ^ variable.other.readwrite.stagecraft
#           ^^ keyword.operator.stagecraft
#              ^^^^^ string.quoted.double.stagecraft
#                    ^^ keyword.operator.stagecraft
#                       ^^^ string.quoted.single.stagecraft
#                           ^^ keyword.operator.word.stagecraft
#                              ^^^^ variable.other.readwrite.stagecraft
#                                  ^ punctuation.definition.expression.end.stagecraft
RUN --if='A == \'x\'' make
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^ punctuation.definition.expression.begin.stagecraft
#         ^ variable.other.readwrite.stagecraft
#           ^^ keyword.operator.stagecraft
#              ^^^^^ string.quoted.single.stagecraft
#                   ^ punctuation.definition.expression.end.stagecraft
RUN --if=DEBUG make
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^^^^^ variable.other.readwrite.stagecraft
RUN --if=A=="b" make
# <--- keyword.other.special-method.dockerfile
#   ^^^^ entity.other.attribute-name.flag.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#        ^ variable.other.readwrite.stagecraft
#         ^^ keyword.operator.stagecraft
#           ^^^ string.quoted.double.stagecraft
LET EXT = TARGETOS == "windows" \
# <--- keyword.other.special-method.stagecraft
#   ^^^ variable.other.constant.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#         ^^^^^^^^ variable.other.readwrite.stagecraft
#                  ^^ keyword.operator.stagecraft
#                     ^^^^^^^^^ string.quoted.double.stagecraft
#                               ^ constant.character.escape.line-continuation.stagecraft
  ? ".exe" : ''
# ^ keyword.operator.stagecraft
#   ^^^^^^ string.quoted.double.stagecraft
#          ^ keyword.operator.stagecraft
#            ^^ string.quoted.single.stagecraft
LET LTS = filter(["17", "18"], # in ["17"])
# <--- keyword.other.special-method.stagecraft
#   ^^^ variable.other.constant.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#         ^^^^^^ support.function.stagecraft
#                 ^^^^ string.quoted.double.stagecraft
#                       ^^^^ string.quoted.double.stagecraft
#                              ^ variable.language.element.stagecraft
#                                ^^ keyword.operator.word.stagecraft
#                                    ^^^^ string.quoted.double.stagecraft
LET SUM = versions["3.12"].sha256 ?? `none`
# <--- keyword.other.special-method.stagecraft
#   ^^^ variable.other.constant.stagecraft
#       ^ keyword.operator.assignment.stagecraft
#         ^^^^^^^^ variable.other.readwrite.stagecraft
#                  ^^^^^^ string.quoted.double.stagecraft
#                         ^ punctuation.accessor.stagecraft
#                          ^^^^^^ variable.other.property.stagecraft
#                                 ^^ keyword.operator.stagecraft
#                                    ^^^^^^ string.quoted.other.stagecraft
LET A = data?.list[0].name
# <--- keyword.other.special-method.stagecraft
#   ^ variable.other.constant.stagecraft
#     ^ keyword.operator.assignment.stagecraft
#       ^^^^ variable.other.readwrite.stagecraft
#           ^^ punctuation.accessor.stagecraft
#             ^^^^ variable.other.property.stagecraft
#                  ^ constant.numeric.stagecraft
#                    ^ punctuation.accessor.stagecraft
#                     ^^^^ variable.other.property.stagecraft
LET N = int(MAJOR) + 0x1f - 2.5 ** 1..3 /* a remark */
# <--- keyword.other.special-method.stagecraft
#   ^ variable.other.constant.stagecraft
#     ^ keyword.operator.assignment.stagecraft
#       ^^^ support.function.stagecraft
#           ^^^^^ variable.other.readwrite.stagecraft
#                  ^ keyword.operator.stagecraft
#                    ^^^^ constant.numeric.stagecraft
#                         ^ keyword.operator.stagecraft
#                           ^^^ constant.numeric.stagecraft
#                               ^^ keyword.operator.stagecraft
#                                  ^ constant.numeric.stagecraft
#                                   ^^ keyword.operator.stagecraft
#                                     ^ constant.numeric.stagecraft
#                                       ^^^^^^^^^^^^^^ comment.block.stagecraft
LET B = if true { nil } else { upper(REF) }
# <--- keyword.other.special-method.stagecraft
#   ^ variable.other.constant.stagecraft
#     ^ keyword.operator.assignment.stagecraft
#       ^^ keyword.control.conditional.stagecraft
#          ^^^^ constant.language.stagecraft
#                 ^^^ constant.language.stagecraft
#                       ^^^^ keyword.control.conditional.stagecraft
#                              ^^^^^ support.function.stagecraft
#                                    ^^^ variable.other.readwrite.stagecraft
IF semver(VERSION, ">=3.12") and REF startsWith "release/"
# <-- keyword.control.conditional.stagecraft
#  ^^^^^^ support.function.stagecraft
#         ^^^^^^^ variable.other.readwrite.stagecraft
#                  ^^^^^^^^ string.quoted.double.stagecraft
#                            ^^^ keyword.operator.word.stagecraft
#                                ^^^ variable.other.readwrite.stagecraft
#                                    ^^^^^^^^^^ keyword.operator.word.stagecraft
#                                               ^^^^^^^^^^ string.quoted.double.stagecraft
END
# <--- keyword.control.conditional.stagecraft

