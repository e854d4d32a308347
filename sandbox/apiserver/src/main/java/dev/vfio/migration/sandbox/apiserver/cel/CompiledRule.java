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

/**
 * One rule that can be run.
 *
 * @param message computes the error's text; null if the rule has a fixed text only
 */
record CompiledRule(Rule rule, RuleCompiler.Expression condition, RuleCompiler.Expression message) {

  /**
   * The error if the rule is broken.
   *
   * @param oldSelf the value before, null if there was none; a rule that needs it is then not run
   */
  Optional<Cause> check(Object self, Object oldSelf, Schema schema, String path) {
    if (condition.usesOldSelf() && oldSelf == null) {
      return Optional.empty();
    }
    Map<String, Object> variables = new HashMap<>();
    variables.put("self", self);
    if (oldSelf != null) {
      variables.put("oldSelf", oldSelf);
    }
    try {
      if (Boolean.TRUE.equals(condition.program().eval(variables))) {
        return Optional.empty();
      }
    } catch (CelEvaluationException e) {
      String detail = plain(e) + " evaluating rule: " + fixedText();
      return Optional.of(FieldErrors.invalid(path, schema.type(), detail));
    }
    return Optional.of(cause(path + rule.fieldPath(), schema, text(variables)));
  }

  private Cause cause(String field, Schema schema, String text) {
    String path = field.startsWith(".") ? field.substring(1) : field;
    return switch (rule.reason()) {
      case "FieldValueForbidden" -> FieldErrors.forbidden(path, text);
      case "FieldValueRequired" -> FieldErrors.required(path, text);
      case "FieldValueDuplicate" -> FieldErrors.duplicate(path, TextNode.valueOf(schema.type()));
      default -> FieldErrors.invalid(path, schema.type(), text);
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
        // The rule is broken in any case: its fixed text says so where no text can be computed.
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
}
