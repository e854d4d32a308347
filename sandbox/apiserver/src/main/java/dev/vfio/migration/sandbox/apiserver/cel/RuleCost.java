package dev.vfio.migration.sandbox.apiserver.cel;

import com.fasterxml.jackson.databind.JsonNode;
import dev.cel.common.ast.CelExpr.ExprKind.Kind;
import dev.cel.common.navigation.CelNavigableExpr;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;

/**
 * A rough estimate of the highest cost of a rule, by the same idea as a kube-apiserver's: steps,
 * times the largest number of items of each loop, times the number of places that have the rule. It
 * refuses what clearly cannot pass (loops in loops over unbounded lists); a real server may judge a
 * rule near the limit differently.
 */
final class RuleCost {
  /** Limit for the cost of one rule; the number that a kube-apiserver has. */
  static final double LIMIT = 10_000_000;

  private static final double REQUEST_BYTES = 3 * 1024 * 1024;
  private static final int UNKNOWN_ITEMS = 1_000;

  private RuleCost() {}

  static double of(RuleCompiler.Expression expression, Schema self) {
    return expression
        .tree()
        .getRoot()
        .allNodes()
        .mapToDouble(
            node -> {
              double times = 1;
              CelNavigableExpr inner = node;
              for (var outer = node.parent(); outer.isPresent(); outer = outer.get().parent()) {
                if (outer.get().getKind() == Kind.COMPREHENSION && isLooped(outer.get(), inner)) {
                  times *= items(outer.get(), self);
                }
                inner = outer.get();
              }
              return times;
            })
        .sum();
  }

  /** How many items a list, or entries a map, can have in one request. */
  static double maxItems(Schema schema) {
    JsonNode raw = schema.raw();
    JsonNode declared = raw.has("maxItems") ? raw.get("maxItems") : raw.path("maxProperties");
    if (declared.isNumber()) {
      return declared.asDouble();
    }
    Schema item = schema.type().equals("array") ? schema.item() : schema.field("");
    return REQUEST_BYTES / (smallest(item) + 1);
  }

  private static boolean isLooped(CelNavigableExpr loop, CelNavigableExpr child) {
    long id = child.id();
    var comprehension = loop.expr().comprehension();
    return comprehension.loopStep().id() == id || comprehension.loopCondition().id() == id;
  }

  private static double items(CelNavigableExpr loop, Schema self) {
    Schema range =
        schemaOf(CelNavigableExpr.fromExpr(loop.expr().comprehension().iterRange()), self);
    return range == null ? UNKNOWN_ITEMS : Math.max(1, maxItems(range));
  }

  /** The schema of an expression such as self.a.b; null for anything else. */
  private static Schema schemaOf(CelNavigableExpr node, Schema self) {
    if (node.getKind() == Kind.IDENT) {
      String name = node.expr().ident().name();
      return name.equals("self") || name.equals("oldSelf") ? self : null;
    }
    if (node.getKind() == Kind.SELECT) {
      Schema parent = schemaOf(CelNavigableExpr.fromExpr(node.expr().select().operand()), self);
      return parent == null ? null : parent.properties().get(node.expr().select().field());
    }
    return null;
  }

  /** The shortest JSON text of a value of a schema. */
  private static double smallest(Schema schema) {
    return switch (schema.type()) {
      case "string", "array" -> 2;
      case "boolean" -> 4;
      case "object" -> {
        double size = 2;
        for (JsonNode required : schema.raw().path("required")) {
          Schema field = schema.properties().get(required.asText());
          size += required.asText().length() + 4 + (field == null ? 1 : smallest(field));
        }
        yield size;
      }
      default -> 1;
    };
  }
}
