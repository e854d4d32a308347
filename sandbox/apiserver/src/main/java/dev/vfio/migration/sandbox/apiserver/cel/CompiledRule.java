package dev.vfio.migration.sandbox.apiserver.cel;

import com.fasterxml.jackson.databind.node.TextNode;
import dev.cel.common.CelErrorCode;
import dev.cel.runtime.CelEvaluationException;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.Rule;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** One rule that can be run. Immutable. */
final class CompiledRule {
  private final Rule rule;
  private final RuleCompiler.Expression condition;
  private final RuleCompiler.Expression message;

  /** With a null message the rule's fixed text is used. */
  CompiledRule(Rule rule, RuleCompiler.Expression condition, RuleCompiler.Expression message) {
    this.rule = rule;
    this.condition = condition;
    this.message = message;
  }

  /**
   * What is wrong, if anything.
   *
   * @param oldSelf the value before, null if there was none
   */
  Optional<Cause> check(Object self, Object oldSelf, Schema schema, String path) {
    if (condition.usesOldSelf() && oldSelf == null && !rule.optionalOldSelf()) {
      return Optional.empty();
    }
    Map<String, Object> variables = new HashMap<>();
    variables.put("self", self);
    if (rule.optionalOldSelf()) {
      variables.put("oldSelf", Optional.ofNullable(oldSelf));
    } else if (oldSelf != null) {
      variables.put("oldSelf", oldSelf);
    }
    try {
      if (Boolean.TRUE.equals(condition.program().eval(variables))) {
        return Optional.empty();
      }
    } catch (CelEvaluationException e) {
      String detail = plain(e) + " evaluating rule: " + fixedText();
      return Optional.of(FieldErrors.invalid(path, typeName(schema), detail));
    }
    return Optional.of(cause(path + rule.fieldPath(), schema, text(variables)));
  }

  private Cause cause(String field, Schema schema, String text) {
    String path = field.startsWith(".") ? field.substring(1) : field;
    return switch (rule.reason()) {
      case "FieldValueForbidden" -> FieldErrors.forbidden(path, text);
      case "FieldValueRequired" -> FieldErrors.required(path, text);
      case "FieldValueDuplicate" -> FieldErrors.duplicate(path, TextNode.valueOf(typeName(schema)));
      default -> FieldErrors.invalid(path, typeName(schema), text);
    };
  }

  private String text(Map<String, Object> variables) {
    if (message != null) {
      try {
        Object text = message.program().eval(variables);
        if (text instanceof String line && !line.isBlank() && !line.contains("\n")) {
          return line.trim();
        }
      } catch (CelEvaluationException e) {
        // The rule is broken either way; its fixed text says so when the computed one cannot.
        return fixedText();
      }
    }
    return fixedText();
  }

  private String fixedText() {
    return rule.message().isBlank() ? "failed rule: " + rule.rule().trim() : rule.message().trim();
  }

  private static String plain(CelEvaluationException e) {
    String message = e.getMessage().replaceFirst("^evaluation error( at \\S+)?: ", "");
    return e.getErrorCode() == CelErrorCode.ATTRIBUTE_NOT_FOUND
        ? "no such key: " + message.replaceFirst("^key '(.*)' is not present in map\\.$", "$1")
        : message;
  }

  private static String typeName(Schema schema) {
    return schema.type();
  }
}
