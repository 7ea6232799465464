# The ledger's table: who deployed what, where, when and why, for ever (docs/reference/ledger.md). Give its name and region to the operator:
# ECS_RELEASE_LEDGER_TABLE and ECS_RELEASE_LEDGER_REGION. Indexes hold these fields and no others: DynamoDB cannot change that later.
variable "name" {
  type    = string
  default = "ecs-release-ledger"
}

locals {
  indexes = {
    "by-project" = "projectKey"
    "by-person"  = "personKey"
    "by-time"    = "timeKey"
  }
  held = [
    "installation", "namespace", "project", "serviceSet", "service", "environment", "release", "attemptID", "stage",
    "number", "cause", "hash", "outcome", "requestedBy", "appliedBy", "changedBy", "description", "url", "startTime",
    "completionTime",
  ]
}

resource "aws_dynamodb_table" "ledger" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  deletion_protection_enabled = true
  hash_key                    = "pk"
  range_key                   = "sk"

  point_in_time_recovery {
    enabled = true
  }

  dynamic "attribute" {
    for_each = toset(concat(["pk", "sk", "at"], values(local.indexes)))
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes
    content {
      name               = global_secondary_index.key
      hash_key           = global_secondary_index.value
      range_key          = "at"
      projection_type    = "INCLUDE"
      non_key_attributes = local.held
    }
  }
}

output "ledger_arn" {
  value = aws_dynamodb_table.ledger.arn
}
