# A queue with the events that the operator reads, for one account and region. Give its URL to the Environment:
# spec.observation.eventQueueURL. CloudTrail must be on in the account for the last source (a trail with management events).
variable "name" {
  type    = string
  default = "ecs-release-events"
}

locals {
  patterns = {
    states = {
      "source"      = ["aws.ecs", "aws.ecr"]
      "detail-type" = ["ECS Deployment State Change", "ECS Service Action", "ECS Task State Change", "ECS Hook State Change", "ECR Image Action"]
    }
    calls = {
      "source"      = ["aws.ecs", "aws.ecr"]
      "detail-type" = ["AWS API Call via CloudTrail"]
      "detail"      = { "eventName" = ["UpdateService", "RegisterTaskDefinition", "PutImage", "ContinueServiceDeployment", "StopServiceDeployment"] }
    }
  }
}

resource "aws_sqs_queue" "events" {
  name                       = var.name
  message_retention_seconds  = 3600 # older ones report nothing that polling has not found
  visibility_timeout_seconds = 30
  sqs_managed_sse_enabled    = true
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.events.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.events : rule.arn] } }
    }]
  })
}

resource "aws_cloudwatch_event_rule" "events" {
  for_each      = local.patterns
  name          = "${var.name}-${each.key}"
  event_pattern = jsonencode(each.value)
}

resource "aws_cloudwatch_event_target" "events" {
  for_each = local.patterns
  rule     = aws_cloudwatch_event_rule.events[each.key].name
  arn      = aws_sqs_queue.events.arn
}

output "event_queue_url" {
  value = aws_sqs_queue.events.url
}
